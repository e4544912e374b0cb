-- Make a run startable at its place in the order: pending behind its queue's limits, or on the class's shared Celery queue.
local function enqueue(id, is_front)
  local key = run_key(id)
  local run = redis.call("HMGET", key, "task", "payload", "args", "queue", "class", "order", "ckey", "ttl", "started", "expires", "priority", "status", "waiter")
  local queue, class = run[4], run[5]
  set_status(id, queue, run[12] or "", "QUEUED")
  if run[8] and not run[9] and not run[10] then -- the time to live counts from the first entry into the queue
    local expires = now + tonumber(run[8])
    redis.call("HSET", key, "expires", expires)
    set_timer("ttl:" .. id, expires)
  end
  if run[11] then -- from now on this queue keeps an order of its own
    redis.call("HSET", queue_key(queue), "ordered", 1)
    redis.call("SADD", base .. ":queues", queue)
  end
  if not is_governed(queue) then
    reserve(id, run, shared_queue(class, run[13]), is_front)
    return
  end
  pend(id, queue, order_class(id, class), run[7] or "", run[6], is_front)
  dispatch(queue)
end
