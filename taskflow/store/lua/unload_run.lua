-- Let a durable run whose code was left wait without a process; it starts at once when what it waits for is there.
-- ARGV[7] id of the run  [8] claim
-- Derives :run:<id>, :node:<node>:runs.
-- Returns {1, status} when it was unloaded (or was before), {0, status} when it or the claim has ended.
local key, run = run_key(id), read_execution(id)
if not is_own_claim(run, claim) then
  return { 0, run.status == "MISSING" and "MISSING" or "STALE", outbox }
end
if is_parked(run) and redis.call("HEXISTS", key, "unloading") == 1 then
  unload(id, run)
elseif run.node or not run.parked then
  return { 0, run.status, outbox }
end
return { 1, redis.call("HGET", key, "status"), outbox }
