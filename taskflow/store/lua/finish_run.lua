-- End an executing run with its attempt, give its slot back and start the next run of its queue.
-- include: event queue timers executing close
-- more: push reserve limits slots pending grant dispatch enqueue release hooks attempt waits
-- ARGV[7] run id  [8] claim  [9] final status  [10] output JSON or ""  [11] error JSON or ""  [12] 1 when the attempt failed
--   [13] 1 when its code is gone and could not run the final hooks  [14] JSON list of the hooks' errors or ""
-- Derives :run:<id>, :node:<node>:runs.
-- Returns {1, status} when written (or written before by the same claim), {0, status} when the claim is over.
local id = ARGV[7]
local key, run = run_key(id), executing(id)
if run.claim ~= ARGV[8] then
  return { 0, run.status == "MISSING" and "MISSING" or "STALE", outbox }
end
if is_parked(run) then
  more().stop_waiting(id, run)
end
if run.status ~= "EXECUTING" then
  local is_same = run.status == ARGV[9] and run.status ~= "CANCELED"
  if is_same and run.status == "TIMED_OUT" then -- its time was up here and there; its code has run the hooks
    more().hooks_done(id, run, ARGV[14])
  end
  return { is_same and 1 or 0, run.status, outbox }
end
if ARGV[13] == "1" and run.settled then
  more().end_settled(id, run)
  return { 1, run.settled, outbox }
end
local fields = {}
for index, name in pairs({ [10] = "output", [11] = "error", [14] = "hook_errors" }) do
  if ARGV[index] ~= "" then
    fields[#fields + 1], fields[#fields + 2] = name, ARGV[index]
  end
end
if ARGV[12] == "1" then
  redis.call("HINCRBY", key, "failed", 1)
end
leave_node(id, run)
close(id, ARGV[9], unpack(fields))
if run.slot then
  more().release_slot(id)
end
if ARGV[13] == "1" then
  more().request_hooks(id)
end
return { 1, ARGV[9], outbox }
