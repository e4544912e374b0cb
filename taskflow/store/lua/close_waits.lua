-- Forget waits of a run, done or not, for which its code no longer waits.
-- ARGV[7] id of the run  [8] claim  [9...] names of waits
-- Derives :waits:<run>.
-- Returns {1, 1}, {0, status} when the claim has ended.
local run = fields(run_key(id), "claim", "status", "granted")
if not is_own_claim(run, claim) then
  return { 0, run.status or "MISSING", outbox }
end
for _, name in ipairs(names) do
  forget_wait(id, name)
end
return { 1, 1, outbox }
