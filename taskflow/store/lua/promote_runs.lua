-- Make delayed and retrying runs startable whose time has come.
-- include: event push reserve timers queue limits slots pending grant dispatch enqueue
-- ARGV[7] at most how many
-- Derives :delayed, :run:<id>.
-- Returns {1, how many were promoted}: as many as asked for means that more may be due.
local due = redis.call("ZRANGEBYSCORE", base .. ":delayed", "-inf", now, "WITHSCORES", "LIMIT", 0, tonumber(ARGV[7]))
for index = 1, #due, 2 do
  local id, key = due[index], run_key(due[index])
  redis.call("ZREM", base .. ":delayed", id)
  local run = redis.call("HMGET", key, "status", "priority")
  if run[1] == "DELAYED" or run[1] == "REATTEMPTING" then
    redis.call("HSET", key, "order", string.format("%.0f", due[index + 1] * 1000 - tonumber(run[2] or "0")))
    redis.call("HDEL", key, "due")
    enqueue(id, false)
  end
end
return { 1, #due / 2, outbox }
