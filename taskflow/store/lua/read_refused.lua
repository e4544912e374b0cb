-- Read the messages that could not be read, the newest first.
-- ARGV[7] most: at most how many
-- Derives :refused.
-- Returns {1, {"<ms>\t<JSON>", ...}}.
return { 1, redis.call("LRANGE", base .. ":refused", 0, tonumber(most) - 1), outbox }
