-- Write events, which history and subscribers read, and count the load of queues. Derives :events, :load.
local EVENTS_KEPT = "200000" -- a text, because Lua writes a number with 17 digits, which takes longer than the command
local LOADS = { QUEUED = "queued", EXECUTING = "running", DELAYED = "delayed", REATTEMPTING = "delayed", PENDING_VERSION = "pending" }

local function event(id, kind, value)
  redis.call("XADD", base .. ":events", "MAXLEN", "~", EVENTS_KEPT, "*", "run", id, "kind", kind, "value", value)
end

-- Change a run's status, and further fields with it. Every change of a status is made here. `before` is "" for a new run.
local function set_status(id, queue, before, after, ...)
  redis.call("HSET", run_key(id), "status", after, ...)
  local left, entered = LOADS[before], LOADS[after]
  if left ~= entered then
    if left then
      redis.call("HINCRBY", base .. ":load", left .. ":" .. queue, "-1")
    end
    if entered then
      redis.call("HINCRBY", base .. ":load", entered .. ":" .. queue, "1")
    end
  end
  event(id, "status", after)
end
