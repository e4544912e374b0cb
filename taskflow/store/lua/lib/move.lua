-- The queue of a version that nobody runs any more: its nodes may never come back, so whatever stands there starts elsewhere.
-- Derives :tickets:<Celery queue>, :suspects, :ticket_queues, and the broker's list <prefix><Celery queue>.

-- Move up to `count` unclaimed runs. Returns how many it has looked at.
local function move_runs(celery_queue, count)
  local tickets = base .. ":tickets:" .. celery_queue
  local ids = count > 0 and redis.call("ZRANGE", tickets, 0, count - 1) or {}
  for _, id in ipairs(ids) do
    local run = redis.call("HMGET", run_key(id), "task", "payload", "args", "queue", "class", "order", "ckey", "waiter", "prefers", "ticket")
    redis.call("ZREM", tickets, id)
    if run[10] == celery_queue then
      withdraw(id)
      place(id, run, false)
    end
  end
  return #ids
end

-- Once nothing stands there, the broker's list holds old tickets only. RabbitMQ's queue expires. Returns whether it is so.
local function forget_queue(celery_queue)
  if redis.call("EXISTS", base .. ":tickets:" .. celery_queue) == 1 then
    return false
  end
  redis.call("HDEL", base .. ":suspects", celery_queue)
  redis.call("ZREM", base .. ":ticket_queues", celery_queue)
  if delivery ~= "" then
    redis.call("DEL", delivery:sub(2) .. celery_queue)
  end
  return true
end
