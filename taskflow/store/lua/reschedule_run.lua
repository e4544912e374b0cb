-- Give a delayed run another instant to start at.
-- ARGV[7] id of the run  [8] due_text: ms, or "+<ms>" from now
-- Derives :run:<id>, :delayed.
-- Returns {1, due ms} when it is delayed until then, {0, status} when it was not delayed ("MISSING" unknown).
local status = redis.call("HGET", run_key(id), "status")
if status ~= "DELAYED" then
  return { 0, status or "MISSING", outbox }
end
local due = instant_of(due_text)
redis.call("HSET", run_key(id), "due", string.format("%d", due))
delay_run(id, due)
event(id, "rescheduled", string.format("%d", due))
return { 1, string.format("%d", due), outbox }
