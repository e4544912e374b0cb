-- Let a waiting run go on although none of its waits is done: its code has given them up.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- more: enqueue waits
-- ARGV[7] run id  [8] claim under which it waits
-- Derives :run:<id>.
-- Returns {1, status}: EXECUTING when it goes on under the next claim, QUEUED while it waits for its slot; {0, status} when
--   it does not wait under this claim.
local id = ARGV[7]
local run = redis.call("HMGET", run_key(id), "status", "claim")
if run[1] ~= "WAITING" or run[2] ~= ARGV[8] then
  return { 0, run[1] or "MISSING", outbox }
end
more().resume(id)
return { 1, redis.call("HGET", run_key(id), "status"), outbox }
