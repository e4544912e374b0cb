-- End one attempt. An attempt that ends its run is read from the run's own fields instead.
local function record_attempt(key, run, outcome, error)
  redis.call(
    "HSET", key, "attempt:" .. run.attempt,
    string.format(
      '{"claim":%s,"node":"%s","started":%s,"finished":%d,"outcome":"%s","error":%s}',
      run.claim, run.node, run.attempt_started, now, outcome, error ~= "" and error or "null"
    )
  )
end

-- The next attempt opens waits of its own; a durable run goes on with those it has.
local function forget_waits(id, run)
  redis.call("HDEL", run_key(id), "parked", "resumed", "computed", "unloading", "ready")
  if redis.call("HEXISTS", run_key(id), "waits") == 1 and not run.durable then
    more().drop_waits(id)
  end
end

-- The code stopped before it could say how it ended: start again at once at the old place.
local function restart(id, run, outcome, error)
  local key = run_key(id)
  record_attempt(key, run, outcome, error)
  leave_node(id, run)
  forget_waits(id, run)
  if outcome == "LOST" and redis.call("HINCRBY", key, "lost", 1) > max_lost then
    redis.call("HSET", key, "error", error)
    close(id, "SYSTEM_FAILURE")
    release_slot(id)
    request_hooks(id)
    return
  end
  redis.call("HDEL", key, "node", "pid", "nonce")
  free_slot(id)
  enqueue(id, true)
  pass_environment_slot()
end

-- It had ended and was in its final hooks when its code went away: they run again, it does not.
local function end_settled(id, run)
  leave_node(id, run)
  close(id, run.settled)
  release_slot(id)
  request_hooks(id)
end

-- What a node's end means for one of its runs. A run that has ended only gives its slot back.
local function give_up(id, outcome, error)
  local run = executing(id)
  if is_parked(run) then
    if run.durable and not run.settled then
      more().unload(id, run)
      return
    end
    more().stop_waiting(id, run)
  end
  if run.status == "EXECUTING" and run.settled then
    end_settled(id, run)
  elseif run.status == "EXECUTING" then
    restart(id, run, outcome, error)
  elseif run.node then
    leave_node(id, run)
    release_slot(id)
    hooks_lost(id)
  end
end
