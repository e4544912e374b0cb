-- Read a batch's record.
-- ARGV[7] id of the batch
-- Derives :batch:<id>.
-- Returns {1, {now ms, field, value, ...}}, {0, "MISSING"}.
local record = redis.call("HGETALL", base .. ":batch:" .. id)
if #record == 0 then
  return { 0, "MISSING", outbox }
end
table.insert(record, 1, string.format("%d", now))
return { 1, record, outbox }
