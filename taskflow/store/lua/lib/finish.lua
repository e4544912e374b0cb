-- End a run for good. Derives :live, :finished, :finishes.
local FINISHES_KEPT = 10000

-- Give the slot back and let the next run of the queue have it.
local function release_slot(id)
  local key = run_key(id)
  local queue = redis.call("HGET", key, "slot")
  if queue then
    redis.call("HDEL", key, "slot")
    redis.call("SREM", base .. ":queue:" .. queue .. ":slots", id)
    dispatch(queue)
  end
end

local function close(id, status)
  local key = run_key(id)
  redis.call("HSET", key, "status", status, "finished", now)
  redis.call("HDEL", key, "nonce", "republished", "order")
  redis.call("ZREM", base .. ":live", id)
  redis.call("ZADD", base .. ":finished", now, id)
  redis.call("XADD", base .. ":finishes", "MAXLEN", "~", FINISHES_KEPT, "*", "run", id, "status", status)
  redis.call("PEXPIRE", base .. ":finishes", retention_ms)
  redis.call("PEXPIRE", key, retention_ms)
  local idempotency = redis.call("HGET", key, "idempotency")
  if idempotency then
    if status == "COMPLETED" or status == "CANCELED" then
      redis.call("PEXPIRE", base .. ":key:" .. idempotency, retention_ms)
    elseif redis.call("GET", base .. ":key:" .. idempotency) == id then
      redis.call("DEL", base .. ":key:" .. idempotency)
    end
  end
end
