-- An effect was performed on all shards.
-- ARGV[7] the entry
-- Derives :effects, :waiters:<source>.
-- Returns {1, 1} when it was still there, {1, 0} when not.
local source = ARGV[7]:match("^deliver:(.*)$")
if source then
  redis.call("DEL", base .. ":waiters:" .. source)
end
return { 1, redis.call("SREM", base .. ":effects", ARGV[7]), outbox }
