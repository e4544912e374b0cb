-- Look at schedules later. For those whose record a node cannot read, so that it does not look at them all the time.
-- ARGV[7] wait_ms: how much later  [8...] ids
-- Derives :schedules.
-- Returns {1, how many}.
local later = string.format("%d", now + tonumber(wait_ms))
for _, id in ipairs(ids) do
  redis.call("ZADD", base .. ":schedules", "XX", later, id)
end
return { 1, #ids, outbox }
