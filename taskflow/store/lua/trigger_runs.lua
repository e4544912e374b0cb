-- Make several runs in their order, each as trigger_run does.
-- ARGV[7] width: how many arguments a run has. Behind it those of each run, see lib/make.lua
-- Derives :run:<id>, :live, :key:<task>:<digest>, :children:<run>, :awaiting:<task or queue>.
-- Returns {1, list of {code, run id}} with the codes of trigger_run.
local runs = {}
for at = 8, #ARGV, tonumber(width) do
  runs[#runs + 1] = { make_run(at) }
end
return { 1, runs, outbox }
