-- Renew a node's lease, keep the load that it reports, and repeat the entries of its inbox.
-- ARGV[7] node  [8] lease_ms  [9] load: JSON of what the host uses, "" to keep the last one
--   [10...] handled: inbox entries that the node has handled
-- Derives :nodes, :node:<id>, :node:<id>:inbox.
-- Returns {1, inbox entries as {id, {field, value, ...}}}, {0, "UNREGISTERED"} when the lease has ended.
local inbox = base .. ":node:" .. node .. ":inbox"
if tonumber(redis.call("ZSCORE", base .. ":nodes", node) or "0") == 0 then
  return { 0, "UNREGISTERED", outbox }
end
redis.call("ZADD", base .. ":nodes", "XX", now + tonumber(lease_ms), node)
if load ~= "" then
  redis.call("HSET", base .. ":node:" .. node, "heard", now_text, "load", load)
end
if #handled > 0 then
  redis.call("XDEL", inbox, unpack(handled))
end
return { 1, redis.call("XRANGE", inbox, "-", "+", "COUNT", 100), outbox }
