-- Make a run startable at its place in the order: pending behind its queue's limits, or on a Celery queue of its class.
-- Derives :run:<id>, :queue:<queue>, :queues.

-- `run` has the fields task, payload, args, trace, queue, class, order, ckey, waiter and prefers.
local function queue_up(id, run, is_front)
  local queue, class = run.queue, run.class
  if not is_governed(queue) then
    reserve(id, run, shared_queue(class, run.waiter, run.prefers, run.task), is_front)
    return
  end
  pend(id, queue, order_class(id, class), run.ckey or "", run.order, is_front)
  dispatch(queue)
end

local function enqueue(id, is_front)
  local key = run_key(id)
  local run = fields(
    key, "task", "payload", "args", "trace", "queue", "class", "order", "ckey", "waiter", "prefers", "ttl", "started",
    "expires", "priority", "status"
  )
  local queue = run.queue
  set_status(id, queue, run.status or "", "QUEUED")
  if run.ttl and not run.started and not run.expires then -- the time to live counts from the first entry into the queue
    local expires = now + tonumber(run.ttl)
    redis.call("HSET", key, "expires", expires)
    set_timer("ttl:" .. id, expires)
  end
  if run.priority then -- from now on this queue has an order of its own
    redis.call("HSET", queue_key(queue), "ordered", 1)
    redis.call("SADD", base .. ":queues", queue)
  end
  queue_up(id, run, is_front)
end
