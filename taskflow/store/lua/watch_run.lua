-- Read a run's whole record, and the newest event that it already shows.
-- ARGV[7] id of the run
-- Derives :run:<id>, :events.
-- Returns {1, {id of the newest event, field, value, ...}}, {0, "MISSING"}.
local record = redis.call("HGETALL", run_key(id))
if #record == 0 then
  return { 0, "MISSING", outbox }
end
local newest = redis.call("XREVRANGE", base .. ":events", "+", "-", "COUNT", 1)[1]
table.insert(record, 1, newest and newest[1] or "0-0")
return { 1, record, outbox }
