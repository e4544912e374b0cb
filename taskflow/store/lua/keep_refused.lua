-- Keep a message that could not be read, for people who look for it.
-- ARGV[7] entry: JSON
-- Derives :refused.
-- Returns {1, 1}.
local MOST = 500
local key = base .. ":refused"
redis.call("LPUSH", key, now_text .. "\t" .. entry)
redis.call("LTRIM", key, 0, MOST - 1)
redis.call("PEXPIRE", key, retention_ms)
return { 1, 1, outbox }
