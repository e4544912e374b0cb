-- Claim a queued run for one node.
-- include: push reserve dispatch
-- ARGV[7] run id  [8] node id  [9] the ticket's reservation number  [10] nonce of this call: a repeated call (its reply
--   was lost) gets the same claim, a second ticket under the same number does not  [11] pid of the child, 0 for a coroutine
-- Derives :run:<id>, :nodes, :node:<node>:runs, :tickets:<Celery queue>, :unclaimed:<Celery queue>.
-- Returns {1, {claim, attempt, failed, max_attempts, created, payload, tags, key, queue, started, class}} when claimed,
--   {0, status} when not ("MISSING" unknown, "STALE" an old ticket, "UNREGISTERED" the node holds no lease).
local id, node, pid = ARGV[7], ARGV[8], ARGV[11]
local key = run_key(id)
local run = redis.call("HMGET", key, "status", "reservation", "nonce", "ticket", "class", "slot", "started")
if run[1] == "EXECUTING" and run[2] == ARGV[9] and run[3] == ARGV[10] then
  return { 1, redis.call("HMGET", key, "claim", "attempt", "failed", "max_attempts", "created", "payload", "tags", "key", "queue", "started", "class"), outbox }
end
if run[1] ~= "QUEUED" then
  return { 0, run[1] or "MISSING", outbox }
end
if run[2] ~= ARGV[9] or not run[4] then
  return { 0, "STALE", outbox }
end
if not redis.call("ZSCORE", base .. ":nodes", node) then
  return { 0, "UNREGISTERED", outbox }
end
redis.call("HINCRBY", key, "claim", 1)
redis.call("HINCRBY", key, "attempt", 1)
redis.call("HSET", key, "status", "EXECUTING", "node", node, "pid", pid, "nonce", ARGV[10], "attempt_started", now)
redis.call("HDEL", key, "ticket", "republished", "due")
if not run[7] then
  redis.call("HSET", key, "started", now)
end
redis.call("HSET", base .. ":node:" .. node .. ":runs", id, pid)
redis.call("ZREM", base .. ":tickets:" .. run[4], id)
if run[6] then
  redis.call("SREM", base .. ":unclaimed:" .. run[4], id)
  unblock(run[5], 1)
end
return { 1, redis.call("HMGET", key, "claim", "attempt", "failed", "max_attempts", "created", "payload", "tags", "key", "queue", "started", "class"), outbox }
