-- Resume a run whose code waits in memory. A resume is a claim, see fence.lua.
local function stop_due(max_duration, computed)
  return now + tonumber(max_duration) - tonumber(computed or "0") + STOP_GRACE_MS
end

local function grant(id, queue, before)
  local key = run_key(id)
  local run = fields(key, "node", "pid", "claim", "max_duration", "computed", "settled")
  local claim = tonumber(run.claim) + 1
  redis.call("HDEL", key, "parked")
  set_status(id, queue, before, "EXECUTING", "claim", claim, "granted", claim, "resumed", now_text)
  if run.max_duration and not run.settled then -- final hooks have no time limit
    set_timer("stop:" .. id, stop_due(run.max_duration, run.computed))
  end
  notify_code(id, run.node, run.pid, claim)
end
