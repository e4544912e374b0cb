-- Tell that a run's code no longer executes although it never said how it ended: its child died or was stopped.
-- include: event push reserve timers queue limits slots pending grant dispatch enqueue close release hooks executing attempt
-- more: waits
-- ARGV[7] run id  [8] claim  [9] LOST or INTERRUPTED  [10] error JSON
-- Derives :run:<id>, :node:<node>:runs.
-- Returns {1, status} after the change, {0, status} when the claim is over.
local id = ARGV[7]
local run = executing(id)
if run.claim ~= ARGV[8] then
  return { 0, run.status == "MISSING" and "MISSING" or "STALE", outbox }
end
if not run.node then
  return { 0, run.status, outbox }
end
give_up(id, ARGV[9], ARGV[10])
return { 1, redis.call("HGET", run_key(id), "status") or "MISSING", outbox }
