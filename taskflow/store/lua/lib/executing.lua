-- What a run's code is, and where. Derives :run:<id>, :node:<node>:runs.
local function executing(id)
  local found = redis.call("HMGET", run_key(id), "status", "claim", "node", "attempt", "attempt_started", "pid", "queue", "max_duration", "settled", "slot", "parked", "durable", "resumed", "computed", "granted")
  return {
    status = found[1] or "MISSING", claim = found[2], node = found[3], attempt = found[4], attempt_started = found[5],
    pid = found[6], queue = found[7], max_duration = found[8], settled = found[9], slot = found[10], parked = found[11], durable = found[12], resumed = found[13], computed = found[14],
    granted = found[15],
  }
end

-- Whether its code is in a node's memory, although it only waits there.
local function is_parked(run)
  return run.parked and run.node and (run.status == "WAITING" or run.status == "QUEUED")
end

-- The node is done with the run, whatever follows.
local function leave_node(id, run)
  redis.call("HDEL", base .. ":node:" .. run.node .. ":runs", id)
  if run.max_duration then
    clear_timer("stop:" .. id)
  end
end
