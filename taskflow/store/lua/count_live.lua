-- Count the runs that have not ended.
-- Derives :live.
-- Returns {1, their number}.
return { 1, redis.call("ZCARD", base .. ":live"), outbox }
