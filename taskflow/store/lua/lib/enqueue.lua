-- Make a run startable at its place in the order: pending behind its queue's limits, or on a Celery queue of its class.

-- `run` begins with its task, payload, args, queue, class, order, ckey, waiter and prefers.
local function place(id, run, is_front)
  local queue, class = run[4], run[5]
  if not is_governed(queue) then
    reserve(id, run, shared_queue(class, run[8], run[9], run[1]), is_front)
    return
  end
  pend(id, queue, order_class(id, class), run[7] or "", run[6], is_front)
  dispatch(queue)
end

local function enqueue(id, is_front)
  local key = run_key(id)
  local run = redis.call("HMGET", key, "task", "payload", "args", "queue", "class", "order", "ckey", "waiter", "prefers", "ttl", "started", "expires", "priority", "status")
  local queue = run[4]
  set_status(id, queue, run[14] or "", "QUEUED")
  if run[10] and not run[11] and not run[12] then -- the time to live counts from the first entry into the queue
    local expires = now + tonumber(run[10])
    redis.call("HSET", key, "expires", expires)
    set_timer("ttl:" .. id, expires)
  end
  if run[13] then -- from now on this queue keeps an order of its own
    redis.call("HSET", queue_key(queue), "ordered", 1)
    redis.call("SADD", base .. ":queues", queue)
  end
  place(id, run, is_front)
end
