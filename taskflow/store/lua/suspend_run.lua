-- Begin to unload a durable run whose code can only wait: that code is left from now on, also when a wait is done meanwhile.
-- ARGV[7] id of the run  [8] claim
-- Derives :run:<id>.
-- Returns {1, 1} when its code is to be left (also when it was before), {0, status} when it goes on, or the claim has ended.
local run = read_execution(id)
-- A late repetition under the claim before must not unload code that goes on, so that the newest claim is needed.
if run.claim ~= claim or run.status ~= "WAITING" or not is_parked(run) or not run.durable or run.settled then
  return { 0, run.status, outbox }
end
redis.call("HSET", run_key(id), "unloading", 1)
return { 1, 1, outbox }
