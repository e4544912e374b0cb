-- An effect was performed on all shards.
-- ARGV[7] the entry
-- Derives :effects.
-- Returns {1, 1} when it was still there, {1, 0} when not.
return { 1, redis.call("SREM", base .. ":effects", ARGV[7]), outbox }
