-- Let a run go on whose code waits in memory. Derives :node:<node>:inbox, :resumed:<run>.
local function tell_node(id, node, claim, kind)
  local inbox = base .. ":node:" .. node .. ":inbox"
  redis.call("XADD", inbox, "*", "kind", kind, "run", id, "claim", claim)
  redis.call("PEXPIRE", inbox, retention_ms)
end

-- A coroutine hears it through its node's inbox; a child of the node listens to a list of its own.
local function tell_code(id, node, pid, claim)
  if (pid or "0") == "0" then
    tell_node(id, node, claim, "resume")
    return
  end
  local key = base .. ":resumed:" .. id
  redis.call("LPUSH", key, claim)
  redis.call("LTRIM", key, 0, 9)
  redis.call("PEXPIRE", key, retention_ms)
end

-- The class under which a run that waits for its slot stands in the pending order: its code is on one node.
local function held_class(node)
  return "@" .. node
end

local function is_held_class(class)
  return class:sub(1, 1) == "@"
end

local function stop_due(max_duration, computed)
  return now + tonumber(max_duration) - tonumber(computed or "0") + STOP_GRACE_MS
end

-- Whether a run's claim is that by which the code that waited under `before` was let go on, and nobody else's. That code
-- takes no other claim over: it learns each one before it can wait again.
local function is_grant_of(claim, granted, before)
  return granted and granted == claim and tonumber(claim) == tonumber(before) + 1
end

-- A resume is a claim: what the code writes from now on carries the new number.
local function grant(id, queue, before)
  local key = run_key(id)
  local run = redis.call("HMGET", key, "node", "pid", "claim", "max_duration", "computed", "settled")
  local claim = tonumber(run[3]) + 1
  redis.call("HDEL", key, "parked")
  set_status(id, queue, before, "EXECUTING", "claim", claim, "granted", claim, "resumed", now_text)
  if run[4] and not run[6] then -- its time does not run out in its final hooks
    set_timer("stop:" .. id, stop_due(run[4], run[5]))
  end
  tell_code(id, run[1], run[2], claim)
end
