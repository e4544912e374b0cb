-- Read a run's status, output and error.
-- ARGV[7] id of the run
-- Derives :run:<id>.
-- Returns {1, {status, output JSON, error JSON}}, {0, "MISSING"}.
local run = fields(run_key(id), "status", "output", "error")
if not run.status then
  return { 0, "MISSING", outbox }
end
return { 1, { run.status, run.output, run.error }, outbox }
