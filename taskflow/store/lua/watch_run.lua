-- Read a run's whole record and the place in :events up to which it shows what has happened.
-- ARGV[7] run id
-- Derives :run:<id>, :events.
-- Returns {1, {id of the newest event, field, value, ...}}, {0, "MISSING"}.
local fields = redis.call("HGETALL", run_key(ARGV[7]))
if #fields == 0 then
  return { 0, "MISSING", outbox }
end
local newest = redis.call("XREVRANGE", base .. ":events", "+", "-", "COUNT", 1)[1]
table.insert(fields, 1, newest and newest[1] or "0-0")
return { 1, fields, outbox }
