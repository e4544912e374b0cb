-- Stop giving a node new runs. It keeps its lease and what it runs.
-- include: event push reserve timers queue limits slots pending grant dispatch enqueue close release hooks executing attempt nodes
-- more: waits
-- ARGV[7] node id
-- Derives :node:<id>, :serving:<Celery queue>, :deserted, :suspects, :ticket_queues.
-- Returns {1, 1}.
desert(ARGV[7])
return { 1, 1, outbox }
