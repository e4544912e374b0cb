-- Read the schedules that are due.
-- ARGV[7] most: at most how many
-- Derives :schedules, :schedule:<id>.
-- Returns {1, {now in ms, {{id, {field, value, ...}}, ...}, how late the first one is in ms}}.
local ids = redis.call("ZRANGEBYSCORE", base .. ":schedules", "-inf", now, "WITHSCORES", "LIMIT", 0, tonumber(most))
local due, late = {}, 0
for index = 1, #ids, 2 do
  local id = ids[index]
  if redis.call("EXISTS", schedule_key(id)) == 1 then
    due[#due + 1] = id
    late = math.max(late, now - ids[index + 1])
  else
    redis.call("ZREM", base .. ":schedules", id)
  end
end
return { 1, { now_text, schedule_records(due), string.format("%d", late) }, outbox }
