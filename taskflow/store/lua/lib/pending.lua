-- The pending order: runs that wait behind a queue's limits, oldest first within a concurrency key and class. Keys take turns.
-- Derives :queue:<queue>:pending:<class>[:<key>], :queue:<queue>:classes, :queue:<queue>:turns, :queue:<queue>:count:<class>,
-- :queues.
-- A class in the pending order is "<class>"; "<class>@" or "<class>@<version>" for runs that others wait for, with the
-- version that they prefer; "@<node>" for runs that wait to go on in a node's memory.
-- A key without a turn waits for a slot of its own, for its rate (a timer), or for room in a class (:blocked:<class>).
local SUBTASKS = "@"

-- Returns a run's class in the pending order. Runs that others wait for have one of their own, because they may start on
-- Celery queues that others may not use.
local function order_class(id, class)
  local run = fields(run_key(id), "waiter", "prefers")
  return (run.waiter or run.prefers) and class .. SUBTASKS .. (run.prefers or "") or class
end

-- Returns the class that a class in the pending order stands for.
local function class_of(pending_class)
  return pending_class:match("^[^@]*")
end

local function held_class(node)
  return "@" .. node
end

local function is_held_class(pending_class)
  return pending_class:sub(1, 1) == "@"
end

local function pending_key(queue, pending_class, concurrency_key)
  local key = queue_key(queue) .. ":pending:" .. pending_class
  return concurrency_key == "" and key or key .. ":" .. concurrency_key
end

-- Give a concurrency key its turn after all others, or before them.
local function give_turn(queue, concurrency_key, is_front)
  local key = queue_key(queue)
  if is_front then
    redis.call("ZADD", key .. ":turns", 0, concurrency_key)
  else
    redis.call("ZADD", key .. ":turns", "NX", redis.call("HINCRBY", key, "turn", 1), concurrency_key)
  end
end

local function has_pending(queue, concurrency_key)
  for _, pending_class in ipairs(redis.call("SMEMBERS", queue_key(queue) .. ":classes")) do
    if redis.call("EXISTS", pending_key(queue, pending_class, concurrency_key)) == 1 then
      return true
    end
  end
end

local function pend(id, queue, pending_class, concurrency_key, order, is_front)
  local key = queue_key(queue)
  if redis.call("ZADD", pending_key(queue, pending_class, concurrency_key), order, id) == 1 then
    redis.call("INCR", key .. ":count:" .. pending_class)
    redis.call("SADD", key .. ":classes", pending_class)
    redis.call("SADD", base .. ":queues", queue)
  end
  give_turn(queue, concurrency_key, is_front)
end

local function unpend(id, queue, pending_class, concurrency_key)
  local key = queue_key(queue)
  if redis.call("ZREM", pending_key(queue, pending_class, concurrency_key), id) == 1 then
    if redis.call("DECR", key .. ":count:" .. pending_class) <= 0 then
      redis.call("DEL", key .. ":count:" .. pending_class)
      redis.call("SREM", key .. ":classes", pending_class)
    end
  end
end
