-- A durable run's code has been left: it waits without a process, and starts at once if what it waits for is there.
-- include: event push reserve timers queue limits slots pending grant dispatch executing
-- more: enqueue waits
-- ARGV[7] run id  [8] claim
-- Derives :run:<id>, :node:<node>:runs.
-- Returns {1, status} when it was unloaded (or was before), {0, status} when it has ended, or the claim is over.
local id = ARGV[7]
local key, run = run_key(id), executing(id)
if run.claim ~= ARGV[8] then
  return { 0, run.status == "MISSING" and "MISSING" or "STALE", outbox }
end
if is_parked(run) and redis.call("HEXISTS", key, "unloading") == 1 then
  more().unload(id, run)
elseif run.node or not run.parked then
  return { 0, run.status, outbox }
end
return { 1, redis.call("HGET", key, "status"), outbox }
