-- Publish unclaimed tickets again, under the same numbers, when the broker holds fewer messages than there are reservations.
-- On a suspect queue all tickets are due, because a node that died may have taken the oldest ones.
-- ARGV[7] queue: Celery's  [8] messages: the broker's count, "" to read the list's length here  [9] most: at most how many
-- Derives :tickets:<Celery queue>, :ticket_queues, :suspects, and the broker's list <prefix><Celery queue>.
-- Returns {1, how many were published}: as many as asked for means that more may be due.
local count, tickets = tonumber(most), base .. ":tickets:" .. queue
local reserved = redis.call("ZCARD", tickets)
local length = tonumber(messages) or redis.call("LLEN", delivery:sub(2) .. queue)
local is_suspect = redis.call("HDEL", base .. ":suspects", queue) == 1
if reserved == 0 then
  redis.call("ZREM", base .. ":ticket_queues", queue)
  return { 1, 0, outbox }
end
local due = {}
if length < reserved then
  due = redis.call("ZRANGEBYSCORE", tickets, "-inf", is_suspect and "+inf" or now, "LIMIT", 0, math.min(count, reserved - length))
end
for _, id in ipairs(due) do
  local run = fields(run_key(id), "task", "payload", "args", "trace", "reservation", "ticket")
  if run.ticket == queue then
    local times = redis.call("HINCRBY", run_key(id), "republished", 1)
    push(id, run, tonumber(run.reservation), queue, false)
    redis.call("ZADD", tickets, now + math.min(reservation_ms * 2 ^ times, 600000), id)
  else
    redis.call("ZREM", tickets, id)
  end
end
local head = redis.call("ZRANGE", tickets, 0, 0, "WITHSCORES")
local next_look = length < reserved and head[2] and math.max(tonumber(head[2]), now + 1) or now + reservation_ms
if is_suspect and #due == count then
  redis.call("HSET", base .. ":suspects", queue, 1)
  next_look = now
end
redis.call("ZADD", base .. ":ticket_queues", next_look, queue)
return { 1, #due, outbox }
