-- List schedules in the order of their making.
-- ARGV[7] offset  [8] most: at most how many
-- Derives :schedule_ids, :schedule:<id>.
-- Returns {1, {now in ms, {{id, {field, value, ...}}, ...}, how many there are}}.
local ids = redis.call("ZRANGE", base .. ":schedule_ids", offset, offset + most - 1)
return { 1, { now_text, schedule_records(ids), redis.call("ZCARD", base .. ":schedule_ids") }, outbox }
