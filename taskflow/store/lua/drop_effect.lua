-- Forget an effect, which was performed on all shards.
-- ARGV[7] effect: the entry  [8] notified: how many waiters, "" for another effect
-- Derives :effects, :waiters:<source>, :children:<run>.
-- Returns {1, 1} when it was still there, {1, 0} when not, or when it stays because a run has begun to wait meanwhile, or a
--   canceled run has triggered another child.
local source, parent = effect:match("^deliver:(.*)$"), effect:match("^cancel%-children:(.*)$")
if parent and redis.call("EXISTS", base .. ":children:" .. parent) == 1 then
  return { 1, 0, outbox }
end
if source then
  if redis.call("SCARD", base .. ":waiters:" .. source) > tonumber(notified) then
    return { 1, 0, outbox }
  end
  redis.call("DEL", base .. ":waiters:" .. source)
end
return { 1, redis.call("SREM", base .. ":effects", effect), outbox }
