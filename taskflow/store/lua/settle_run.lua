-- Keep how a run has ended before its final hooks run: a worker that dies inside them does not execute it again.
-- include: event push reserve timers queue limits slots pending grant dispatch enqueue close release hooks executing attempt
-- more: waits
-- ARGV[7] run id  [8] claim  [9] final status  [10] output JSON or ""  [11] error JSON or ""
-- Derives :run:<id>.
-- Returns {1, status} when kept, {0, status} when the claim is over.
local id = ARGV[7]
local key, run = run_key(id), executing(id)
if run.claim ~= ARGV[8] then
  return { 0, run.status == "MISSING" and "MISSING" or "STALE", outbox }
end
if is_parked(run) then
  more().stop_waiting(id, run)
end
if run.status ~= "EXECUTING" then
  return { 0, run.status, outbox }
end
redis.call("HSET", key, "settled", ARGV[9])
if run.max_duration then -- its time does not run out in its hooks
  clear_timer("stop:" .. id)
end
for index, name in pairs({ [10] = "output", [11] = "error" }) do
  if ARGV[index] ~= "" then
    redis.call("HSET", key, name, ARGV[index])
  end
end
return { 1, ARGV[9], outbox }
