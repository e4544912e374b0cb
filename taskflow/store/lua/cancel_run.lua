-- Cancel a run. Final at once; code that executes is stopped by its node, which keeps the slot until it has.
-- include: push reserve dispatch finish
-- ARGV[7] run id  [8] reason as error JSON
-- Derives :run:<id>, :delayed, :queue:<queue>:pending:<class>, :node:<node>:inbox.
-- Returns {1, "CANCELED"} when this call canceled it, {0, status} when it had ended or is unknown ("MISSING").
local id = ARGV[7]
local key = run_key(id)
local run = redis.call("HMGET", key, "status", "queue", "class", "node", "claim", "finished")
if not run[1] then
  return { 0, "MISSING", outbox }
end
if run[6] then
  return { 0, run[1], outbox }
end
redis.call("HSET", key, "error", ARGV[8])
if run[1] == "EXECUTING" then
  local inbox = base .. ":node:" .. run[4] .. ":inbox"
  redis.call("XADD", inbox, "*", "kind", "cancel", "run", id, "claim", run[5])
  redis.call("PEXPIRE", inbox, retention_ms)
  close(id, "CANCELED")
  return { 1, "CANCELED", outbox }
end
redis.call("ZREM", base .. ":delayed", id)
redis.call("ZREM", base .. ":queue:" .. run[2] .. ":pending:" .. run[3], id)
withdraw(id)
close(id, "CANCELED")
release_slot(id)
return { 1, "CANCELED", outbox }
