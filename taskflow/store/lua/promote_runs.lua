-- Make delayed and retrying runs startable that are due.
-- ARGV[7] most: at most how many
-- Derives :delayed, :run:<id>.
-- Returns {1, how many were promoted}: as many as asked for means that more may be due.
local due = redis.call("ZRANGEBYSCORE", base .. ":delayed", "-inf", now, "WITHSCORES", "LIMIT", 0, tonumber(most))
for index = 1, #due, 2 do
  local id, key = due[index], run_key(due[index])
  redis.call("ZREM", base .. ":delayed", id)
  local run = fields(key, "status", "priority", "order")
  if run.status == "DELAYED" or run.status == "REATTEMPTING" then
    local order = due[index + 1] * 1000 - tonumber(run.priority or "0")
    if run.status == "REATTEMPTING" then -- a run whose attempt was lost keeps its place
      order = math.min(order, tonumber(run.order or order))
    end
    redis.call("HSET", key, "order", string.format("%.0f", order))
    redis.call("HDEL", key, "due")
    enqueue(id, false)
  end
end
return { 1, #due / 2, outbox }
