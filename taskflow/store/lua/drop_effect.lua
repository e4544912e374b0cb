-- An effect was performed on all shards.
-- ARGV[7] the entry
-- Derives :effects, :waiters:<run>.
-- Returns {1, 1} when it was still there, {1, 0} when not.
local run = ARGV[7]:match("^deliver:(.*)$")
if run then
  redis.call("DEL", base .. ":waiters:" .. run)
end
return { 1, redis.call("SREM", base .. ":effects", ARGV[7]), outbox }
