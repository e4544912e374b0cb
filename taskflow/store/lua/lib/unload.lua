-- Let code end that waits in memory. Derives :run:<id>, :node:<node>:runs, :resumed:<run>.

-- Let a run execute again whose code ends its attempt although it was about to wait.
local function stop_waiting(id, run)
  if run.status == "QUEUED" then
    local concurrency_key = redis.call("HGET", run_key(id), "ckey")
    unpend(id, run.queue, held_class(run.node), concurrency_key or "")
  end
  redis.call("HDEL", run_key(id), "parked")
  set_status(id, run.queue, run.status, "EXECUTING")
  run.status = "EXECUTING"
end

-- Let a durable run wait without a process from now on.
local function unload(id, run)
  local key = run_key(id)
  redis.call("HDEL", base .. ":node:" .. run.node .. ":runs", id)
  local is_ready = redis.call("HGET", key, "ready") or run.status == "QUEUED"
  if run.status == "QUEUED" then
    unpend(id, run.queue, held_class(run.node), redis.call("HGET", key, "ckey") or "")
  end
  redis.call("HDEL", key, "node", "pid", "nonce", "unloading", "ready")
  redis.call("DEL", base .. ":resumed:" .. id)
  if is_ready then
    enqueue(id, false)
  end
end
