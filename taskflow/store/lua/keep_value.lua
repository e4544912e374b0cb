-- Keep a value of Celery's that is not a run's: a result without a run, or a group's members.
-- ARGV[7] kind  [8] id of the task or group  [9] value, JSON, "" to forget it  [10] is_awaited: 1 when a caller may wait for it
-- Derives :kept:<kind>:<id>, :finishes.
-- Returns {1, 1}.
local key = base .. ":kept:" .. kind .. ":" .. id
if value == "" then
  redis.call("DEL", key)
  return { 1, 1, outbox }
end
redis.call("SET", key, value, "PX", retention_ms)
if is_awaited == "1" then
  redis.call("XADD", base .. ":finishes", "MAXLEN", "~", 10000, "*", "run", id, "status", "KEPT")
end
return { 1, 1, outbox }
