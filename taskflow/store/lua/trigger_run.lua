-- Make a run, once per id, and start it when it may start. A repeated call with the same id changes nothing.
-- ARGV[7...20] the run's arguments, see lib/make.lua
-- Derives :run:<id>, :live, :key:<task>:<digest>, :children:<run>, :awaiting:<task or queue>.
-- Returns {1, run id} when made, {2, run id} when this id, the idempotency key or the debounce key has a run already.
local code, id = make_run(7)
return { code, id, outbox }
