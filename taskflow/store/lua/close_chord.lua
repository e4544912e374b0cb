-- Close a chord whose body was applied, or failed: nobody applies it again.
-- ARGV[7] group_id
-- Derives :chord:<group>.
-- Returns {1, 1}.
local key = base .. ":chord:" .. group_id
redis.call("DEL", key)
redis.call("HSET", key, "done", 1)
redis.call("PEXPIRE", key, retention_ms)
return { 1, 1, outbox }
