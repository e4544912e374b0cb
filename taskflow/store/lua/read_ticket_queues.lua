-- Read the Celery queues whose unclaimed tickets are to be looked at now.
-- ARGV[7] most: at most how many
-- Derives :ticket_queues.
-- Returns {1, names}.
return { 1, redis.call("ZRANGEBYSCORE", base .. ":ticket_queues", "-inf", now, "LIMIT", 0, tonumber(most)), outbox }
