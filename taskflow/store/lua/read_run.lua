-- Read a run's whole record.
-- ARGV[7] run id
-- Derives :run:<id>.
-- Returns {1, {field, value, ...}}, {0, "MISSING"}.
local fields = redis.call("HGETALL", run_key(ARGV[7]))
if #fields == 0 then
  return { 0, "MISSING", outbox }
end
return { 1, fields, outbox }
