-- Note with which time zone data the next ticks of all schedules have been computed.
-- ARGV[7] version, for example "2026f"; "" notes nothing
-- Derives :upkeep.
-- Returns {1, the newest version that was noted}.
local known = redis.call("HGET", base .. ":upkeep", "zones") or ""
if version > known then
  redis.call("HSET", base .. ":upkeep", "zones", version)
  known = version
end
return { 1, known, outbox }
