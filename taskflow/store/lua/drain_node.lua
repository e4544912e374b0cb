-- Stop giving a node new runs. It keeps its lease and its runs.
-- ARGV[7] node
-- Derives :node:<id>, :serving:<Celery queue>, :deserted, :suspects, :ticket_queues.
-- Returns {1, 1}.
desert_queues(node)
return { 1, 1, outbox }
