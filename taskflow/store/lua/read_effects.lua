-- Read what scripts have left to do on all shards.
-- ARGV[7] at most how many
-- Derives :effects.
-- Returns {1, entries such as "cancel-children:<run>"}.
return { 1, redis.call("SRANDMEMBER", base .. ":effects", tonumber(ARGV[7])), outbox }
