-- Give a delayed run another instant to start at.
-- include: event push reserve timers queue limits slots pending grant dispatch enqueue delay
-- ARGV[7] run id  [8] due ms, or "+<ms>" from now
-- Derives :run:<id>, :delayed.
-- Returns {1, due ms} when it is delayed until then, {0, status} when it was not delayed ("MISSING" unknown).
local id = ARGV[7]
local status = redis.call("HGET", run_key(id), "status")
if status ~= "DELAYED" then
  return { 0, status or "MISSING", outbox }
end
local due = ARGV[8]:sub(1, 1) == "+" and now + tonumber(ARGV[8]) or tonumber(ARGV[8])
redis.call("HSET", run_key(id), "due", string.format("%d", due))
delay(id, due)
event(id, "rescheduled", string.format("%d", due))
return { 1, string.format("%d", due), outbox }
