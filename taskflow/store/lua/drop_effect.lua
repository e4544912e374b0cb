-- An effect was performed on all shards.
-- ARGV[7] the entry  [8] how many waiters were told, "" for another effect
-- Derives :effects, :waiters:<source>.
-- Returns {1, 1} when it was still there, {1, 0} when not, or when it stays: somebody has begun to wait meanwhile.
local source = ARGV[7]:match("^deliver:(.*)$")
if source then
  if redis.call("SCARD", base .. ":waiters:" .. source) > tonumber(ARGV[8]) then
    return { 1, 0, outbox }
  end
  redis.call("DEL", base .. ":waiters:" .. source)
end
return { 1, redis.call("SREM", base .. ":effects", ARGV[7]), outbox }
