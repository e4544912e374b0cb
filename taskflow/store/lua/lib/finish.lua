-- End a run for good. Derives :live, :finished, :finishes, :key:<task>:<digest>, :debounce:<task>:<digest>, :children:<run>.
local FINISHES_KEPT = 10000

-- Give the slot back and let what waited for it have it.
local function release_slot(id)
  local queue, concurrency_key = free_slot(id)
  if not queue then
    return
  end
  if has_pending(queue, concurrency_key) then
    give_turn(queue, concurrency_key)
  end
  local waiting = redis.call("ZPOPMIN", base .. ":environment:waiting")[1]
  if waiting and waiting ~= queue then
    dispatch(waiting)
  end
  dispatch(queue)
end

local function free_keys(id, status)
  local keys = redis.call("HMGET", run_key(id), "idempotency", "key_ttl", "debounce")
  if keys[1] then
    local name = base .. ":key:" .. keys[1]
    if status == "COMPLETED" or status == "CANCELED" then
      redis.call("PEXPIRE", name, keys[2] or retention_ms)
    elseif redis.call("GET", name) == id then
      redis.call("DEL", name)
    end
  end
  if keys[3] and redis.call("GET", base .. ":debounce:" .. keys[3]) == id then
    redis.call("DEL", base .. ":debounce:" .. keys[3])
  end
end

local function close(id, status)
  local key = run_key(id)
  local run = redis.call("HMGET", key, "queue", "status", "ttl", "max_duration", "parent")
  set_status(id, run[1], run[2], status)
  redis.call("HSET", key, "finished", now)
  redis.call("HDEL", key, "nonce", "republished", "order", "expires")
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
  redis.call("ZADD", base .. ":finished", now, id)
  redis.call("XADD", base .. ":finishes", "MAXLEN", "~", FINISHES_KEPT, "*", "run", id, "status", status)
  redis.call("PEXPIRE", base .. ":finishes", retention_ms)
  redis.call("PEXPIRE", key, retention_ms)
  free_keys(id, status)
end
