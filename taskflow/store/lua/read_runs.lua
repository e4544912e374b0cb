-- Read the whole records of runs of a list.
-- ARGV[7...] ids of the runs
-- Derives :run:<id>.
-- Returns {1, list of {run id, {field, value, ...}}}; unknown runs are left out.
local found = {}
for _, id in ipairs(ids) do
  local record = redis.call("HGETALL", run_key(id))
  if #record > 0 then
    found[#found + 1] = { id, record }
  end
end
return { 1, found, outbox }
