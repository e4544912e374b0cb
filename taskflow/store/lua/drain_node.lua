-- Stop giving a node new runs. It keeps its lease and its runs.
-- ARGV[7] node
-- Derives :nodes, :node:<id>, :serving:<Celery queue>, :deserted, :suspects, :ticket_queues.
-- Returns {1, 1}.
desert_queues(node)
if redis.call("ZSCORE", base .. ":nodes", node) then
  redis.call("HSETNX", base .. ":node:" .. node, "draining", now_text)
end
return { 1, 1, outbox }
