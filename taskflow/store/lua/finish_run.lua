-- End an executing run with its attempt, give its slot back and start the next run of its queue.
-- ARGV[7] id of the run  [8] claim  [9] status: the final one  [10] output JSON or ""  [11] error JSON or ""  [12] has_failed: 1
--   when the attempt failed  [13] is_gone: 1 when its code is gone and could not run the final hooks  [14] hook_errors: JSON
--   list or ""
-- Derives :run:<id>, :node:<node>:runs.
-- Returns {1, status} when written (or written before by the same claim), {0, status} when the claim has ended.
local key, run = run_key(id), read_execution(id)
if not is_own_claim(run, claim) then
  return { 0, run.status == "MISSING" and "MISSING" or "STALE", outbox }
end
if is_parked(run) then
  stop_waiting(id, run)
end
if run.status ~= "EXECUTING" then
  local is_same = run.status == status and run.status ~= "CANCELED"
  if is_same and run.status == "TIMED_OUT" then -- the code's clock and the store's ended it; the code has run the hooks
    end_hooks(id, run, hook_errors)
  end
  return { is_same and 1 or 0, run.status, outbox }
end
if is_gone == "1" and run.settled then
  end_settled(id, run)
  return { 1, run.settled, outbox }
end
local values = {}
for name, value in pairs({ output = output, error = error, hook_errors = hook_errors }) do
  if value ~= "" then
    values[#values + 1], values[#values + 2] = name, value
  end
end
if has_failed == "1" then
  redis.call("HINCRBY", key, "failed", 1)
end
leave_node(id, run)
close_run(id, status, unpack(values))
if run.slot then
  release_slot(id)
end
if is_gone == "1" then
  request_hooks(id)
end
return { 1, status, outbox }
