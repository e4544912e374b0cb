-- Read the statuses of several runs.
-- ARGV[7] and further: run ids
-- Derives :run:<id>.
-- Returns {1, list of statuses}, "" for a run that is unknown.
local found = {}
for index = 7, #ARGV do
  found[#found + 1] = redis.call("HGET", run_key(ARGV[index]), "status") or ""
end
return { 1, found, outbox }
