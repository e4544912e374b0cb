-- Keep how a run has ended before its final hooks run, so that a worker that dies inside them does not execute it again.
-- ARGV[7] id of the run  [8] claim  [9] status: the final one  [10] output JSON or ""  [11] error JSON or ""
-- Derives :run:<id>.
-- Returns {1, status} when kept, {0, status} when the claim has ended.
local key, run = run_key(id), read_execution(id)
if not is_own_claim(run, claim) then
  return { 0, run.status == "MISSING" and "MISSING" or "STALE", outbox }
end
if is_parked(run) then
  stop_waiting(id, run)
end
if run.status ~= "EXECUTING" then
  return { 0, run.status, outbox }
end
redis.call("HSET", key, "settled", status)
if run.max_duration then -- final hooks have no time limit
  clear_timer("stop:" .. id)
end
for name, value in pairs({ output = output, error = error }) do
  if value ~= "" then
    redis.call("HSET", key, name, value)
  end
end
return { 1, status, outbox }
