-- Begin to unload a durable run whose code can only wait: from now on that code is left, whatever happens meanwhile.
-- include: event push reserve timers queue limits slots pending grant dispatch executing
-- more: enqueue waits
-- ARGV[7] run id  [8] claim
-- Derives :run:<id>.
-- Returns {1, 1} when its code is to be left (also when it was before), {0, status} when it goes on, or the claim is over.
local id = ARGV[7]
local run = executing(id)
if run.claim ~= ARGV[8] or run.status ~= "WAITING" or not is_parked(run) or not run.durable or run.settled then
  return { 0, run.status, outbox }
end
redis.call("HSET", run_key(id), "unloading", 1)
return { 1, 1, outbox }
