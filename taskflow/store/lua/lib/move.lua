-- Empty the Celery queue of a version that has no node: one may never come back, so its runs start elsewhere.
-- Derives :tickets:<Celery queue>, :suspects, :ticket_queues, and the broker's list <prefix><Celery queue>.

-- Move up to `count` unclaimed runs. Returns how many it has looked at.
local function move_runs(celery_queue, count)
  local tickets = base .. ":tickets:" .. celery_queue
  local ids = count > 0 and redis.call("ZRANGE", tickets, 0, count - 1) or {}
  for _, id in ipairs(ids) do
    local run = fields(
      run_key(id), "task", "payload", "args", "trace", "queue", "class", "order", "ckey", "waiter", "prefers", "ticket"
    )
    redis.call("ZREM", tickets, id)
    if run.ticket == celery_queue then
      withdraw(id)
      queue_up(id, run, false)
    end
  end
  return #ids
end

-- Forget a Celery queue on which no run has a ticket: the broker's list holds old tickets only, and RabbitMQ's queue expires
-- by itself. Returns whether it was forgotten.
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
