-- The runs that wait behind a queue's limits: oldest first within a concurrency key and class; keys take turns.
-- A class here has an "@" behind it for runs that others wait for, and then the version that they prefer, if any; or before
-- it: "@<node>" for those that wait to go on.
-- Derives :queue:<queue>:pending:<class>[:<key>], :queue:<queue>:classes, :queue:<queue>:turns, :queue:<queue>:count:<class>.
-- A key without a turn waits for a slot of its own, for its rate (a timer), or for room in a class (:blocked:<class>).
local SUBTASKS = "@"

-- Runs that others wait for have an order of their own: they may start where others may not, see dispatch.
local function order_class(id, class)
  local run = redis.call("HMGET", run_key(id), "waiter", "prefers")
  return run[1] and class .. SUBTASKS .. (run[2] or "") or class
end

-- The class itself.
local function class_of(order)
  return order:match("^[^@]*")
end

local function pending_key(queue, class, concurrency_key)
  local key = queue_key(queue) .. ":pending:" .. class
  return concurrency_key == "" and key or key .. ":" .. concurrency_key
end

-- Let a concurrency key have its turn after all others, or before them.
local function give_turn(queue, concurrency_key, is_front)
  local key = queue_key(queue)
  if is_front then
    redis.call("ZADD", key .. ":turns", 0, concurrency_key)
  else
    redis.call("ZADD", key .. ":turns", "NX", redis.call("HINCRBY", key, "turn", 1), concurrency_key)
  end
end

local function has_pending(queue, concurrency_key)
  for _, class in ipairs(redis.call("SMEMBERS", queue_key(queue) .. ":classes")) do
    if redis.call("EXISTS", pending_key(queue, class, concurrency_key)) == 1 then
      return true
    end
  end
end

local function pend(id, queue, class, concurrency_key, order, is_front)
  local key = queue_key(queue)
  if redis.call("ZADD", pending_key(queue, class, concurrency_key), order, id) == 1 then
    redis.call("INCR", key .. ":count:" .. class)
    redis.call("SADD", key .. ":classes", class)
    redis.call("SADD", base .. ":queues", queue)
  end
  give_turn(queue, concurrency_key, is_front)
end

local function unpend(id, queue, class, concurrency_key)
  local key = queue_key(queue)
  if redis.call("ZREM", pending_key(queue, class, concurrency_key), id) == 1 then
    if redis.call("DECR", key .. ":count:" .. class) <= 0 then
      redis.call("DEL", key .. ":count:" .. class)
      redis.call("SREM", key .. ":classes", class)
    end
  end
end
