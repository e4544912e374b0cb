-- End a failed attempt and let the run start again later. It holds no slot meanwhile.
-- ARGV[7] id of the run  [8] claim  [9] error JSON  [10] delay_ms  [11] class of another machine, or ""
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
  local is_recorded = run.attempt and redis.call("HEXISTS", key, "attempt:" .. run.attempt) == 1
  return { is_recorded and (run.status == "REATTEMPTING" or run.status == "QUEUED") and 1 or 0, run.status, outbox }
end
if run.settled then
  end_settled(id, run)
  return { 1, run.settled, outbox }
end
record_attempt(key, run, "FAILED", error)
redis.call("HINCRBY", key, "failed", 1)
redis.call("HDEL", key, "node", "pid", "nonce")
leave_node(id, run)
forget_waits(id, run)
if class ~= "" then
  redis.call("HSET", key, "class", class)
end
local due = now + tonumber(delay_ms)
local order = due * 1000 - tonumber(redis.call("HGET", key, "priority") or "0")
redis.call("HSET", key, "due", string.format("%d", due), "order", string.format("%.0f", order))
set_status(id, run.queue, "EXECUTING", "REATTEMPTING")
release_slot(id)
if due > now then
  delay_run(id, due)
else
  enqueue(id, false)
end
return { 1, redis.call("HGET", key, "status"), outbox }
