-- Make a schedule, or change one that nobody else has changed meanwhile.
-- ARGV[7] id of the schedule  [8] revision that it has, "" for a new one  [9] changes: JSON object of fields; "" deletes one
--   [10] following: its next tick in ms, "" for none  [11] due: when that is fired, ms, or ""
--   [12] kept_ms: "" keeps the record; else it is removed, and remembered for so long
-- Derives :schedule:<id>, :schedules, :schedule_ids, :declared, :schedule_changes.
-- Returns {1, {now, {{id, record}}}} when written; {2, the same} when another change came first.
local key = schedule_key(id)
local known = redis.call("HGET", key, "revision")
if (known or "") ~= revision then
  return { 2, { now_text, schedule_records({ id }) }, outbox }
end
for name, value in pairs(cjson.decode(changes)) do
  if value == "" then
    redis.call("HDEL", key, name)
  else
    redis.call("HSET", key, name, value)
  end
end
if not known then
  redis.call("HSET", key, "created", now_text)
end
redis.call("HINCRBY", key, "revision", 1)
redis.call("HSET", key, "updated", now_text)
redis.call("HDEL", key, "held", "error")
if following == "" then
  redis.call("HDEL", key, "next", "due")
else
  redis.call("HSET", key, "next", following, "due", due)
end
plan_schedule(id, due)
redis.call("SADD", base .. (redis.call("HGET", key, "declared") and ":declared" or ":schedule_changes"), id)
if kept_ms == "" then
  redis.call("PERSIST", key)
  redis.call("ZADD", base .. ":schedule_ids", "NX", now_us_text, id)
else
  redis.call("ZREM", base .. ":schedule_ids", id)
  redis.call("PEXPIRE", key, kept_ms)
end
return { 1, { now_text, schedule_records({ id }) }, outbox }
