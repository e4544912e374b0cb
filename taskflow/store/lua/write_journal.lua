-- Keep what a durable run has done, before its code goes on with it.
-- ARGV[7] id of the run  [8] claim  [9] entries: JSON object by their keys, each "<kind>\t<name>\t<times>\n<value>"; kind: s a step,
--   o an open wait, w one whose source is known, r one that has returned, z a short sleep
-- Derives :run:<id>, :journal:<run>.
-- Returns {1, 1} when kept (or kept before), {0, status} when the claim has ended.
local run = read_execution(id)
if not is_own_claim(run, claim) or not (run.status == "EXECUTING" or is_parked(run)) then
  return { 0, run.status, outbox }
end
add_entries(id, cjson.decode(entries))
return { 1, 1, outbox }
