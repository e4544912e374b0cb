-- The execution of a run: its code, and the node that has it. Derives :run:<id>, :node:<node>:runs.
local function read_execution(id)
  local run = fields(
    run_key(id), "status", "claim", "node", "attempt", "attempt_started", "pid", "queue", "max_duration", "settled", "slot",
    "parked", "durable", "resumed", "computed", "granted"
  )
  run.status = run.status or "MISSING"
  return run
end

-- Whether a run's code waits in a node's memory.
local function is_parked(run)
  return run.parked and run.node and (run.status == "WAITING" or run.status == "QUEUED")
end

-- Take a run off its node, which has nothing more to do for it.
local function leave_node(id, run)
  redis.call("HDEL", base .. ":node:" .. run.node .. ":runs", id)
  if run.max_duration then
    clear_timer("stop:" .. id)
  end
end
