-- End a run for good, with further fields. Derives :live, :finished, :finishes, :key:<task>:<digest>, :debounce:<task>:<digest>, :children:<run>, :canvas, :waits:<run>, :waiters:<run>,
-- :streams:<run>, :stream:<run>:<name>, :input:<run>:<name>.
local FINISHES_KEPT = "10000"
local CANVAS_MS = 2000

local function free_keys(id, status, idempotency, key_ttl, debounced)
  if idempotency then
    local name = base .. ":key:" .. idempotency
    if status == "COMPLETED" or status == "CANCELED" then
      redis.call("PEXPIRE", name, math.min(tonumber(key_ttl or "inf"), retention_ms))
    elseif redis.call("GET", name) == id then
      redis.call("DEL", name)
    end
  end
  if debounced and redis.call("GET", base .. ":debounce:" .. debounced) == id then
    redis.call("DEL", base .. ":debounce:" .. debounced)
  end
end

-- What a run told and was told leaves the store with it; whoever reads learns that no more will come.
local function keep_streams(id, ms)
  local states = base .. ":streams:" .. id
  for _, name in ipairs(redis.call("HKEYS", states)) do
    redis.call("PEXPIRE", base .. ":" .. name, ms)
    redis.call("PUBLISH", base .. ":" .. name, "")
  end
  redis.call("PEXPIRE", states, ms)
end

local function close(id, status, ...)
  local key = run_key(id)
  local run = redis.call("HMGET", key, "queue", "status", "ttl", "max_duration", "parent", "idempotency", "key_ttl", "debounce", "canvas", "waits", "waited", "streams")
  set_status(id, run[1], run[2], status, "finished", now_text, ...)
  redis.call(
    "HDEL", key, "nonce", "republished", "order", "expires", "settled", "parked", "resumed", "computed", "unloading", "ready",
    "awaiting", "doubts", "foreign"
  )
  if run[3] then
    clear_timer("ttl:" .. id)
  end
  if run[4] then
    clear_timer("stop:" .. id)
  end
  if run[5] then
    redis.call("SREM", base .. ":children:" .. run[5], id)
  end
  if status == "CANCELED" then -- its children follow, wherever they are: a second operation, see effects
    redis.call("SADD", base .. ":effects", "cancel-children:" .. id)
  end
  redis.call("ZREM", base .. ":live", id)
  redis.call("ZADD", base .. ":finished", now_text, id)
  redis.call("XADD", base .. ":finishes", "MAXLEN", "~", FINISHES_KEPT, "*", "run", id, "status", status)
  redis.call("PEXPIRE", key, ARGV[5])
  if run[12] then
    keep_streams(id, ARGV[5])
  end
  if run[9] then -- it came with a Celery canvas: the caller honours it now if it is a node, upkeep what was left
    local is_nodeless = status == "CANCELED" or status == "EXPIRED"
    outbox[#outbox + 1] = { id }
    redis.call("ZADD", base .. ":canvas", is_nodeless and now or now + CANVAS_MS, id)
    if is_nodeless then
      wake(now)
    end
  end
  if run[10] then
    more().drop_waits(id)
  end
  if run[11] then
    more().tell_waiters(id)
  end
  if run[6] or run[8] then
    free_keys(id, status, run[6], run[7], run[8])
  end
end
