-- Forget waits of a run that nobody waits for any more, done or not.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- more: enqueue waits
-- ARGV[7] run id  [8] claim  [9...] names of waits
-- Derives :waits:<run>.
-- Returns {1, 1}, {0, status} when the claim is over.
local id = ARGV[7]
local run = redis.call("HMGET", run_key(id), "claim", "status")
if run[1] ~= ARGV[8] then
  return { 0, run[2] or "MISSING", outbox }
end
for at = 9, #ARGV do
  more().forget_wait(id, ARGV[at])
end
return { 1, 1, outbox }
