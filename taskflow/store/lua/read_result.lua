-- Read a run's status and what it ended with.
-- ARGV[7] run id
-- Derives :run:<id>.
-- Returns {1, {status, output JSON, error JSON}}, {0, "MISSING"}.
local found = redis.call("HMGET", run_key(ARGV[7]), "status", "output", "error")
if not found[1] then
  return { 0, "MISSING", outbox }
end
return { 1, found, outbox }
