-- Give a run a new reservation and publish its ticket. Derives :tickets:<Celery queue>, :ticket_queues.
local function publish(id, run, reservation, queue, is_front)
  local due = string.format("%d", now + reservation_ms)
  redis.call("ZADD", base .. ":tickets:" .. queue, due, id)
  local said = "announced:" .. queue -- a script that makes many runs says once that a queue is to be looked at
  if not memo[said] then
    redis.call("ZADD", base .. ":ticket_queues", "NX", due, queue)
    memo[said] = true
  end
  push(id, run, reservation, queue, is_front)
end

local function reserve(id, run, queue, is_front)
  local key = run_key(id)
  local reservation = redis.call("HINCRBY", key, "reservation", "1")
  redis.call("HSET", key, "ticket", queue)
  publish(id, run, reservation, queue, is_front)
end

-- Take back whatever reservation a run has: its ticket, wherever it is, will be refused.
-- Returns whether that leaves room in its class.
local function withdraw(id)
  local key = run_key(id)
  local queue = redis.call("HGET", key, "ticket")
  if not queue then
    return false
  end
  redis.call("ZREM", base .. ":tickets:" .. queue, id)
  redis.call("HDEL", key, "ticket", "republished")
  redis.call("HINCRBY", key, "reservation", 1)
  return redis.call("SREM", base .. ":unclaimed:" .. queue, id) == 1
end
