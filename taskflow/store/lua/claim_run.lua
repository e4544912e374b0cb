-- Claim a queued run for one node, or the final hooks of one that ended without its code.
-- ARGV[7] id of the run  [8] node  [9] reservation: the ticket's number  [10] nonce of this call: a repeated call (its reply
--   was lost) gets the same claim, a second ticket under the same number does not  [11] pid of the child, 0 for a coroutine
--   [12] version of the node's code or ""
-- Derives :run:<id>, :nodes, :node:<node>:runs, :tickets:<Celery queue>, :unclaimed:<Celery queue>.
-- Returns {1, values of CLAIM_FIELDS} when claimed, {2, the same} for final hooks, {0, status} when not: "MISSING" unknown,
--   "STALE" an old ticket, "UNREGISTERED" the node holds no lease, "DEFERRED" no slot or paused: it is pending again.
local key = run_key(id)
local run = fields(
  key, "status", "reservation", "nonce", "ticket", "class", "slot", "started", "queue", "ckey", "expires", "max_duration",
  "hooks", "order", "claim", "attempt", "parked", "computed"
)
local is_hooks = run.hooks == "PENDING"
if run.reservation == reservation and run.nonce == nonce then
  if run.status == "EXECUTING" or run.hooks == "RUNNING" then
    return claim_reply(run.status == "EXECUTING" and 1 or 2, id)
  end -- the run ended before the reply of this very claim arrived, so that its code does not run
  leave_node(id, read_execution(id))
  release_slot(id)
  return { 0, run.status, outbox }
end
if run.status ~= "QUEUED" and not is_hooks then
  return { 0, run.status or "MISSING", outbox }
end
if run.reservation ~= reservation or not run.ticket then
  return { 0, "STALE", outbox }
end
if (redis.call("ZSCORE", base .. ":nodes", node) or "0") == "0" then
  republish_soon(id, run.ticket) -- the node drops its ticket
  return { 0, "UNREGISTERED", outbox }
end
local queue = run.queue
if not is_hooks and is_governed(queue) and not admit(id, queue, run.class, run.slot, run.ckey or "", run.order) then
  return { 0, "DEFERRED", outbox }
end
redis.call("HDEL", key, "ticket", "republished", "due", "expires", "parked")
redis.call("HSET", base .. ":node:" .. node .. ":runs", id, pid)
redis.call("ZREM", base .. ":tickets:" .. run.ticket, id)
local claim = next_claim(run.claim)
if is_hooks then
  redis.call("HSET", key, "claim", claim, "node", node, "pid", pid, "nonce", nonce, "hooks", "RUNNING")
  return claim_reply(2, id)
end
local began = run.parked and { "resumed", now_text } -- the attempt that waited goes on
  or { "attempt", tonumber(run.attempt or "0") + 1, "attempt_started", now_text, "started", run.started or now_text }
set_status(
  id, queue, "QUEUED", "EXECUTING", "claim", claim, "node", node, "pid", pid, "nonce", nonce, "version", version,
  unpack(began)
)
if run.expires then
  clear_timer("ttl:" .. id)
end
if run.max_duration then
  set_timer("stop:" .. id, stop_due(run.max_duration, run.computed))
end
if run.slot and redis.call("SREM", base .. ":unclaimed:" .. run.ticket, id) == 1 then
  unblock(run.class, 1)
end
return claim_reply(1, id)
