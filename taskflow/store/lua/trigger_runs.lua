-- Make several runs in their order, each as trigger_run does.
-- include: event queue push reserve
-- more: timers limits slots pending grant dispatch enqueue waits delay debounce versions
-- last: make
-- ARGV[7] how many arguments a run has  [8] and further: those of each run, see lib/make.lua
-- Derives :run:<id>, :live, :key:<task>:<digest>, :children:<run>, :awaiting:<task or queue>.
-- Returns {1, list of {code, run id}} with the codes of trigger_run.
local runs = {}
for at = 8, #ARGV, tonumber(ARGV[7]) do
  runs[#runs + 1] = { make_run(at) }
end
return { 1, runs, outbox }
