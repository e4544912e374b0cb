-- The final hooks of a run that had ended without its code are over, and with them the node's claim.
-- include: event push reserve timers queue limits slots pending grant dispatch enqueue close release hooks executing attempt
-- more: waits
-- ARGV[7] run id  [8] claim  [9] JSON list of the hooks' errors or ""
-- Derives :run:<id>, :node:<node>:runs.
-- Returns {1, status} when written (or written before by the same claim), {0, status} when the claim is over.
local id = ARGV[7]
local run = executing(id)
if run.claim ~= ARGV[8] then
  return { 0, run.status == "MISSING" and "MISSING" or "STALE", outbox }
end
hooks_done(id, run, ARGV[9])
return { 1, run.status, outbox }
