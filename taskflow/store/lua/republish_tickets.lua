-- Publish tickets again that nobody claimed, under the same numbers, when the broker holds fewer messages than there are
-- reservations. A node that died may have taken the oldest ones: then their time does not matter.
-- include: push
-- ARGV[7] Celery queue  [8] the broker's message count, "" to look at the list here  [9] at most how many
-- Derives :tickets:<Celery queue>, :ticket_queues, :suspects, and the broker's list <prefix><Celery queue>.
-- Returns {1, how many were published}: as many as asked for means that more may be due.
local queue, count = ARGV[7], tonumber(ARGV[9])
local tickets = base .. ":tickets:" .. queue
local reserved = redis.call("ZCARD", tickets)
local length = tonumber(ARGV[8]) or redis.call("LLEN", delivery:sub(2) .. queue)
local suspected = redis.call("HDEL", base .. ":suspects", queue) == 1
if reserved == 0 then
  redis.call("ZREM", base .. ":ticket_queues", queue)
  return { 1, 0, outbox }
end
local due = {}
if length < reserved then
  due = redis.call("ZRANGEBYSCORE", tickets, "-inf", suspected and "+inf" or now, "LIMIT", 0, math.min(count, reserved - length))
end
for _, id in ipairs(due) do
  local run = redis.call("HMGET", run_key(id), "task", "payload", "args", "reservation", "ticket")
  if run[5] == queue then
    local times = redis.call("HINCRBY", run_key(id), "republished", 1)
    push(id, run, tonumber(run[4]), queue, false)
    redis.call("ZADD", tickets, now + math.min(reservation_ms * 2 ^ times, 600000), id)
  else
    redis.call("ZREM", tickets, id)
  end
end
local head = redis.call("ZRANGE", tickets, 0, 0, "WITHSCORES")
local next_look = length < reserved and head[2] and math.max(tonumber(head[2]), now + 1) or now + reservation_ms
if suspected and #due == count then
  redis.call("HSET", base .. ":suspects", queue, 1)
  next_look = now
end
redis.call("ZADD", base .. ":ticket_queues", next_look, queue)
return { 1, #due, outbox }
