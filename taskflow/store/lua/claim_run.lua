-- Claim a queued run for one node, or the final hooks of one that ended without its code.
-- include: event queue timers claimed
-- more: push reserve limits slots pending grant dispatch admit executing release
-- ARGV[7] run id  [8] node id  [9] the ticket's reservation number  [10] nonce of this call: a repeated call (its reply
--   was lost) gets the same claim, a second ticket under the same number does not  [11] pid of the child, 0 for a coroutine
--   [12] version of the node's code or ""
-- Derives :run:<id>, :nodes, :node:<node>:runs, :tickets:<Celery queue>, :unclaimed:<Celery queue>.
-- Returns {1, values of CLAIM_FIELDS} when claimed, {2, the same} for final hooks, {0, status} when not: "MISSING" unknown,
--   "STALE" an old ticket, "UNREGISTERED" the node holds no lease, "DEFERRED" no slot or paused: it is pending again.
local id, node, pid = ARGV[7], ARGV[8], ARGV[11]
local key = run_key(id)
local run = redis.call("HMGET", key, "status", "reservation", "nonce", "ticket", "class", "slot", "started", "queue", "ckey", "expires", "max_duration", "hooks", "order", "claim", "attempt", "parked", "computed")
local is_hooks = run[12] == "PENDING"
if run[2] == ARGV[9] and run[3] == ARGV[10] then
  if run[1] == "EXECUTING" or run[12] == "RUNNING" then
    return claimed(run[1] == "EXECUTING" and 1 or 2, id)
  end -- it was ended before the reply of this very claim arrived: no code of it runs
  more().leave_node(id, more().executing(id))
  more().release_slot(id)
  return { 0, run[1], outbox }
end
if run[1] ~= "QUEUED" and not is_hooks then
  return { 0, run[1] or "MISSING", outbox }
end
if run[2] ~= ARGV[9] or not run[4] then
  return { 0, "STALE", outbox }
end
if (redis.call("ZSCORE", base .. ":nodes", node) or "0") == "0" then
  return { 0, "UNREGISTERED", outbox }
end
if not is_hooks and is_governed(run[8]) and not more().admit(id, run[8], run[5], run[6], run[9] or "", run[13]) then
  return { 0, "DEFERRED", outbox }
end
redis.call("HDEL", key, "ticket", "republished", "due", "expires", "parked")
redis.call("HSET", base .. ":node:" .. node .. ":runs", id, pid)
redis.call("ZREM", base .. ":tickets:" .. run[4], id)
local claim = tonumber(run[14] or "0") + 1
if is_hooks then
  redis.call("HSET", key, "claim", claim, "node", node, "pid", pid, "nonce", ARGV[10], "hooks", "RUNNING")
  return claimed(2, id)
end
local began = run[16] and { "resumed", now_text } -- it goes on: the attempt is the one that waited
  or { "attempt", tonumber(run[15] or "0") + 1, "attempt_started", now_text, "started", run[7] or now_text }
set_status(
  id, run[8], "QUEUED", "EXECUTING", "claim", claim, "node", node, "pid", pid, "nonce", ARGV[10], "version", ARGV[12],
  unpack(began)
)
if run[10] then
  clear_timer("ttl:" .. id)
end
if run[11] then
  set_timer("stop:" .. id, now + tonumber(run[11]) - tonumber(run[17] or "0") + STOP_GRACE_MS)
end
if run[6] and redis.call("SREM", base .. ":unclaimed:" .. run[4], id) == 1 then
  more().unblock(run[5], 1)
end
return claimed(1, id)
