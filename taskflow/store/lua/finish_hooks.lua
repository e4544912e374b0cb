-- End the final hooks of a run that had ended without its code, and with them the node's claim.
-- ARGV[7] id of the run  [8] claim  [9] errors of the hooks, JSON list or ""
-- Derives :run:<id>, :node:<node>:runs.
-- Returns {1, status} when written (or written before by the same claim), {0, status} when the claim has ended.
local run = read_execution(id)
if not is_own_claim(run, claim) then
  return { 0, run.status == "MISSING" and "MISSING" or "STALE", outbox }
end
end_hooks(id, run, errors)
return { 1, run.status, outbox }
