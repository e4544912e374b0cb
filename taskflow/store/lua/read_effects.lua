-- Read effects: work on all shards that scripts could not do themselves.
-- ARGV[7] most: at most how many
-- Derives :effects.
-- Returns {1, entries, for example "cancel-children:<run>"}.
return { 1, redis.call("SRANDMEMBER", base .. ":effects", tonumber(most)), outbox }
