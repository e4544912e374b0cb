-- Give up a run's code, which no longer executes and has not ended its attempt: its child died or was stopped.
-- ARGV[7] id of the run  [8] claim  [9] outcome: LOST or INTERRUPTED  [10] error JSON
-- Derives :run:<id>, :node:<node>:runs.
-- Returns {1, status} after the change, {0, status} when the claim has ended.
local run = read_execution(id)
if not is_own_claim(run, claim) then
  return { 0, run.status == "MISSING" and "MISSING" or "STALE", outbox }
end
if not run.node then
  return { 0, run.status, outbox }
end
give_up(id, outcome, error)
return { 1, redis.call("HGET", run_key(id), "status") or "MISSING", outbox }
