-- Give a run a reservation and publish its ticket, or withdraw the reservation.
-- Derives :tickets:<Celery queue>, :ticket_queues, :unclaimed:<Celery queue>.
local REPUBLISHED_MS = 1000

local function publish(id, run, reservation, queue, is_front)
  local due = string.format("%d", now + reservation_ms)
  redis.call("ZADD", base .. ":tickets:" .. queue, due, id)
  local name = "announced:" .. queue -- once a call, because a script may make many runs
  if not memo[name] then
    redis.call("ZADD", base .. ":ticket_queues", "NX", due, queue)
    memo[name] = true
  end
  push(id, run, reservation, queue, is_front)
end

local function reserve(id, run, queue, is_front)
  local key = run_key(id)
  local reservation = redis.call("HINCRBY", key, "reservation", "1")
  redis.call("HSET", key, "ticket", queue)
  publish(id, run, reservation, queue, is_front)
end

-- Have upkeep publish a run's ticket again soon: a node that may not claim has taken it.
local function republish_soon(id, queue)
  local due = now + REPUBLISHED_MS
  redis.call("ZADD", base .. ":tickets:" .. queue, "XX", due, id)
  redis.call("ZADD", base .. ":ticket_queues", "XX", "LT", due, queue)
  wake(due)
end

-- Withdraw a run's reservation, if it has one. A claim with its ticket is refused from now on.
-- Returns whether that leaves room in the run's class.
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
