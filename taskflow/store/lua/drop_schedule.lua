-- Delete a schedule. Runs that it has made stay.
-- ARGV[7] id of the schedule
-- Derives :schedule:<id>, :schedules, :schedule_ids, :schedule_changes.
-- Returns {1, 1} when it was there, {0, 0} when it was not, {2, task} when a task declares it: then it stays.
local record = fields(schedule_key(id), "revision", "declared", "task", "removed")
if record.declared and not record.removed then
  return { 2, record.task, outbox }
end
if not record.revision or record.removed then
  return { 0, 0, outbox }
end
redis.call("DEL", schedule_key(id))
redis.call("ZREM", base .. ":schedules", id)
redis.call("ZREM", base .. ":schedule_ids", id)
redis.call("SADD", base .. ":schedule_changes", id)
return { 1, 1, outbox }
