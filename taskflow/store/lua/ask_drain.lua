-- Ask a node to take no new runs and to end, through its inbox.
-- ARGV[7] node  [8] by: who asks
-- Derives :nodes, :node:<id>.
-- Returns {1, 1}, {0, "MISSING"} when no such node is up.
if tonumber(redis.call("ZSCORE", base .. ":nodes", node) or "0") <= now then
  return { 0, "MISSING", outbox }
end
redis.call("HSET", base .. ":node:" .. node, "drained_by", by)
notify_node("", node, 0, "drain")
return { 1, 1, outbox }
