-- Give up the code of a run: it, or its node, has died or was stopped. Derives :run:<id>,
-- :node:<node>:runs, :delayed.

-- Start a run again, at its old place in the order: at once, or after a pause when it was lost before.
local function restart(id, run, outcome, error)
  local key = run_key(id)
  record_attempt(key, run, outcome, error)
  leave_node(id, run)
  forget_waits(id, run)
  local losses = outcome == "LOST" and count_loss(key, run) or 0
  if losses > max_lost then
    redis.call("HSET", key, "error", error)
    close_run(id, "SYSTEM_FAILURE")
    release_slot(id)
    request_hooks(id)
    return
  end
  redis.call("HDEL", key, "node", "pid", "nonce")
  local pause = pause_after_losses(losses)
  if pause > 0 then
    redis.call("HSET", key, "due", string.format("%d", now + pause))
    set_status(id, run.queue, "EXECUTING", "REATTEMPTING")
    release_slot(id)
    delay_run(id, now + pause)
    return
  end
  free_slot(id)
  enqueue(id, true)
  pass_environment_slot()
end

-- A run that has ended only gives its slot back.
local function give_up(id, outcome, error)
  local run = read_execution(id)
  if is_parked(run) then
    if run.durable and not run.settled then
      unload(id, run)
      return
    end
    stop_waiting(id, run)
  end
  if run.status == "EXECUTING" and run.settled then
    end_settled(id, run)
  elseif run.status == "EXECUTING" then
    restart(id, run, outcome, error)
  elseif run.node then
    leave_node(id, run)
    release_slot(id)
    repeat_hooks(id)
  end
end

-- Give up to `count` runs of a node up. Returns how many it still has.
local function give_up_node(node, count, outcome, error)
  local runs = redis.call("HKEYS", base .. ":node:" .. node .. ":runs")
  for index = 1, math.min(#runs, count) do
    give_up(runs[index], outcome, error)
    redis.call("HDEL", base .. ":node:" .. node .. ":runs", runs[index])
  end
  return math.max(0, #runs - count)
end
