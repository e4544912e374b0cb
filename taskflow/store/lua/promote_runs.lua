-- Make delayed and retrying runs startable that are due.
-- ARGV[7] most: at most how many
-- Derives :delayed, :run:<id>.
-- Returns {1, how many were promoted}: as many as asked for means that more may be due.
local due = redis.call("ZRANGEBYSCORE", base .. ":delayed", "-inf", now, "WITHSCORES", "LIMIT", 0, tonumber(most))
for index = 1, #due, 2 do
  local id, key = due[index], run_key(due[index])
  redis.call("ZREM", base .. ":delayed", id)
  local run = fields(key, "status", "priority")
  if run.status == "DELAYED" or run.status == "REATTEMPTING" then
    redis.call("HSET", key, "order", string.format("%.0f", due[index + 1] * 1000 - tonumber(run.priority or "0")))
    redis.call("HDEL", key, "due")
    enqueue(id, false)
  end
end
return { 1, #due / 2, outbox }
