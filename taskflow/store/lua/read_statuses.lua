-- Read the statuses of several runs.
-- ARGV[7...] ids of the runs
-- Derives :run:<id>.
-- Returns {1, list of statuses}, "" for a run that is unknown.
local statuses = {}
for _, id in ipairs(ids) do
  statuses[#statuses + 1] = redis.call("HGET", run_key(id), "status") or ""
end
return { 1, statuses, outbox }
