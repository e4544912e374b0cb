-- Keep what was known of a node that was lost, for a day, for people. Derives :node:<id>, :lost_nodes.
local LOST_MS, MOST_LOST = 86400000, 200

local function note_loss(node, runs)
  local known = fields(base .. ":node:" .. node, "description", "since", "heard", "given_up")
  if not known.since then
    return
  end
  local described = cjson.decode(known.description or "{}") -- the faults of its tasks may be long
  local lost = {
    id = node, description = cjson.encode({ host = described.host, version = described.version }), since = known.since, heard = known.heard,
    runs = tonumber(known.given_up or "0") + runs,
  }
  redis.call("ZREMRANGEBYSCORE", base .. ":lost_nodes", "-inf", now - LOST_MS)
  redis.call("ZADD", base .. ":lost_nodes", now, cjson.encode(lost))
  redis.call("ZREMRANGEBYRANK", base .. ":lost_nodes", 0, -1 - MOST_LOST)
  redis.call("PEXPIRE", base .. ":lost_nodes", LOST_MS)
end
