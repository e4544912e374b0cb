-- List the nodes that hold a lease.
-- Derives :nodes.
-- Returns {1, node ids}.
return { 1, redis.call("ZRANGEBYSCORE", base .. ":nodes", now, "+inf"), outbox }
