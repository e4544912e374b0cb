-- Renew a node's lease and repeat what its inbox still holds.
-- ARGV[7] node id  [8] lease ms  [9...] inbox entries that were handled
-- Derives :nodes, :node:<id>:inbox.
-- Returns {1, inbox entries as {id, {field, value, ...}}}, {0, "UNREGISTERED"} when the lease is over.
local node = ARGV[7]
local inbox = base .. ":node:" .. node .. ":inbox"
if tonumber(redis.call("ZSCORE", base .. ":nodes", node) or "0") == 0 then
  return { 0, "UNREGISTERED", outbox }
end
redis.call("ZADD", base .. ":nodes", "XX", now + tonumber(ARGV[8]), node)
if #ARGV > 8 then
  redis.call("XDEL", inbox, unpack(ARGV, 9))
end
return { 1, redis.call("XRANGE", inbox, "-", "+", "COUNT", 100), outbox }
