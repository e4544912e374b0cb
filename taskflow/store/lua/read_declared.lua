-- Read the schedules that tasks declare, for a node that is to add its own and to remove those of code that is gone.
-- Note the node's declarations: those of the newest that a live node has count.
-- ARGV[7] stamp: names the node's code and the schedules that it declares
-- Derives :declared, :schedule:<id>, :declarations, :nodes, :node:<id>.
-- Returns {1, {now in ms, {{id, record}, ...}, when the stamp was first seen in ms, modules of live nodes as JSON lists}}.
local STAMPS_KEPT = 100
local stamps, modules = base .. ":declarations", {}
local newest = tonumber(redis.call("ZADD", stamps, "NX", now_text, stamp) and redis.call("ZSCORE", stamps, stamp))
local own, first_live = newest, newest
for _, node in ipairs(redis.call("ZRANGEBYSCORE", base .. ":nodes", now, "+inf")) do
  local description = cjson.decode(redis.call("HGET", base .. ":node:" .. node, "description") or "{}")
  modules[#modules + 1] = cjson.encode(description.modules or {})
  local seen = description.schedules and redis.call("ZSCORE", stamps, description.schedules)
  first_live = math.max(first_live, tonumber(seen or "0"))
end
local last = redis.call("ZRANGE", stamps, -1, -1, "WITHSCORES")
if first_live == own and last[1] ~= stamp then -- no live node has newer code: an older version was deployed again
  own = math.max(now, tonumber(last[2]) + 1)
  redis.call("ZADD", stamps, string.format("%d", own), stamp)
end
redis.call("ZREMRANGEBYRANK", stamps, 0, -STAMPS_KEPT - 1)
local found = {}
for _, id in ipairs(redis.call("SMEMBERS", base .. ":declared")) do
  if redis.call("EXISTS", schedule_key(id)) == 1 then
    found[#found + 1] = id
  else
    redis.call("SREM", base .. ":declared", id)
  end
end
return { 1, { now_text, schedule_records(found), string.format("%d", own), modules }, outbox }
