-- Read schedules by their ids.
-- ARGV[7...] ids
-- Derives :schedule:<id>.
-- Returns {1, {now in ms, {{id, {field, value, ...}}, ...}}}: those that are there.
return { 1, { now_text, schedule_records(ids) }, outbox }
