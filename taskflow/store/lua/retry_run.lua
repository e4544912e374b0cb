-- End a failed attempt and let the run start again later. It holds no slot meanwhile.
-- include: event push reserve timers queue limits slots pending grant dispatch enqueue close release hooks executing attempt delay
-- more: waits
-- ARGV[7] run id  [8] claim  [9] error JSON  [10] delay ms  [11] another machine's class or ""
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
  local recorded = run.attempt and redis.call("HEXISTS", key, "attempt:" .. run.attempt) == 1
  return { recorded and (run.status == "REATTEMPTING" or run.status == "QUEUED") and 1 or 0, run.status, outbox }
end
if run.settled then
  end_settled(id, run)
  return { 1, run.settled, outbox }
end
record_attempt(key, run, "FAILED", ARGV[9])
redis.call("HINCRBY", key, "failed", 1)
redis.call("HDEL", key, "node", "pid", "nonce")
leave_node(id, run)
forget_waits(id, run)
if ARGV[11] ~= "" then
  redis.call("HSET", key, "class", ARGV[11])
end
local due = now + tonumber(ARGV[10])
local order = due * 1000 - tonumber(redis.call("HGET", key, "priority") or "0")
redis.call("HSET", key, "due", string.format("%d", due), "order", string.format("%.0f", order))
set_status(id, run.queue, "EXECUTING", "REATTEMPTING")
release_slot(id)
if due > now then
  delay(id, due)
else
  enqueue(id, false)
end
return { 1, redis.call("HGET", key, "status"), outbox }
