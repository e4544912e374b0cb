-- Keep what a durable run has done, before its code goes on with it.
-- include: event push reserve timers queue limits slots pending grant dispatch executing
-- more: enqueue waits
-- ARGV[7] run id  [8] claim  [9] JSON object of entries by their keys, each "<kind>\t<name>\n<value>"; kind: s a step,
--   o an open wait, w one whose source is known, r one that has returned, z a short sleep
-- Derives :run:<id>, :journal:<run>.
-- Returns {1, 1} when kept (or kept before), {0, status} when the claim is over.
local id = ARGV[7]
local run = executing(id)
if run.claim ~= ARGV[8] or not (run.status == "EXECUTING" or is_parked(run)) then
  return { 0, run.status, outbox }
end
more().write_journal(id, cjson.decode(ARGV[9]))
return { 1, 1, outbox }
