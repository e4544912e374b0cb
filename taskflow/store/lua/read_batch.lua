-- Read a batch's record.
-- ARGV[7] batch id
-- Derives :batch:<id>.
-- Returns {1, {now ms, field, value, ...}}, {0, "MISSING"}.
local fields = redis.call("HGETALL", base .. ":batch:" .. ARGV[7])
if #fields == 0 then
  return { 0, "MISSING", outbox }
end
table.insert(fields, 1, string.format("%d", now))
return { 1, fields, outbox }
