-- Keep what Celery wants remembered besides runs: a result that no run has, or a group's members.
-- ARGV[7] kind  [8] task or group id  [9] JSON, "" to forget it  [10] 1 when somebody may wait for it
-- Derives :kept:<kind>:<id>, :finishes.
-- Returns {1, 1}.
local key = base .. ":kept:" .. ARGV[7] .. ":" .. ARGV[8]
if ARGV[9] == "" then
  redis.call("DEL", key)
  return { 1, 1, outbox }
end
redis.call("SET", key, ARGV[9], "PX", retention_ms)
if ARGV[10] == "1" then
  redis.call("XADD", base .. ":finishes", "MAXLEN", "~", 10000, "*", "run", ARGV[8], "status", "KEPT")
end
return { 1, 1, outbox }
