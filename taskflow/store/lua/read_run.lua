-- Read a run's whole record.
-- ARGV[7] id of the run
-- Derives :run:<id>.
-- Returns {1, {field, value, ...}}, {0, "MISSING"}.
local record = redis.call("HGETALL", run_key(id))
if #record == 0 then
  return { 0, "MISSING", outbox }
end
return { 1, record, outbox }
