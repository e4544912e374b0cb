-- Read, of runs of a list, what keeps each of them from starting or going on.
-- ARGV[7...] ids of runs
-- Returns {1, list of {run id, {field, value, ...}, {name of a fact, text, ...}, {field, value, ...} of its waits}}; runs that
--   have ended and unknown ones are left out.
local rows = {}
for _, id in ipairs(ids) do
  rows[#rows + 1] = standing_of(id)
end
return { 1, rows, outbox }
