-- Let a waiting run go on although none of its waits is done, because its code has given them up.
-- ARGV[7] id of the run  [8] claim under which it waits
-- Derives :run:<id>.
-- Returns {1, status}: EXECUTING when it goes on under the next claim, QUEUED while it waits for its slot; {0, status} when
--   it does not wait under this claim.
local run = fields(run_key(id), "status", "claim")
if run.status ~= "WAITING" or run.claim ~= claim then
  return { 0, run.status or "MISSING", outbox }
end
resume(id)
return { 1, redis.call("HGET", run_key(id), "status"), outbox }
