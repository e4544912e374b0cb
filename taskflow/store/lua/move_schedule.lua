-- Move a schedule to another next tick without a run, or note why its tick could not be fired.
-- ARGV[7] id of the schedule  [8] revision  [9] expected: its next tick as it was read, ms  [10] following: the new one, ms,
--   or ""  [11] due: when upkeep looks at it, ms, or ""  [12] zones: version of the time zone data  [13] problem: text or ""
-- Derives :schedule:<id>, :schedules.
-- Returns {1, 1} when moved, {0, 0} when the schedule was changed or has moved on.
local key = schedule_key(id)
local schedule = fields(key, "revision", "next")
if schedule.revision ~= revision or schedule.next ~= expected then
  return { 0, 0, outbox }
end
redis.call("HINCRBY", key, "revision", 1)
if problem == "" then
  redis.call("HDEL", key, "error", "held")
else
  redis.call("HSET", key, "error", problem)
end
if following == "" then
  redis.call("HDEL", key, "next", "due")
else
  redis.call("HSET", key, "next", following, "zones", zones)
  if problem == "" then
    redis.call("HSET", key, "due", due)
  end
end
plan_schedule(id, due)
return { 1, 1, outbox }
