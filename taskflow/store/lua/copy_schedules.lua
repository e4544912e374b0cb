-- Read the schedules that were changed or deleted since the history had them. Declared ones are not copied.
-- ARGV[7] most: at most how many  [8] mark: 1 notes that history and store have met, else ""  [9...] done: "<id> <updated>" of
--   schedules that the history has; "<id> " of deleted ones
-- Derives :schedule_changes, :schedule:<id>, :upkeep.
-- Returns {1, {now in ms, {{id, record}, ...}, ids of deleted ones, 1 when history and store have met}}.
local changes = base .. ":schedule_changes"
if mark == "1" then
  redis.call("HSET", base .. ":upkeep", "copied", "1")
end
for _, entry in ipairs(done) do
  local id, updated = entry:match("^(%S+) (%d*)$")
  if (redis.call("HGET", schedule_key(id), "updated") or "") == updated then
    redis.call("SREM", changes, id)
  end
end
local there, gone = {}, {}
for _, id in ipairs(redis.call("SRANDMEMBER", changes, tonumber(most))) do
  if redis.call("EXISTS", schedule_key(id)) == 1 then
    there[#there + 1] = id
  else
    gone[#gone + 1] = id
  end
end
local has_met = redis.call("HEXISTS", base .. ":upkeep", "copied")
return { 1, { now_text, schedule_records(there), gone, has_met }, outbox }
