-- Read what is needed to honour the Celery canvas of a finished run.
-- ARGV[7] run id
-- Derives :run:<id>.
-- Returns {1, {canvas JSON, status, task, output JSON, error JSON}}; {0, "DONE"} when it has none, or it was honoured;
--   {0, "MISSING"}.
local found = redis.call("HMGET", run_key(ARGV[7]), "canvas", "status", "task", "output", "error")
if not found[2] then
  return { 0, "MISSING", outbox }
end
if not found[1] then
  return { 0, "DONE", outbox }
end
return { 1, found, outbox }
