-- Send messages to code that executes or waits in a node's memory. Derives :node:<node>:inbox, :resumed:<run>.
local function notify_node(id, node, claim, kind)
  local inbox = base .. ":node:" .. node .. ":inbox"
  redis.call("XADD", inbox, "*", "kind", kind, "run", id, "claim", claim)
  redis.call("PEXPIRE", inbox, retention_ms)
end

-- Send a run's code the claim under which it goes on. A coroutine gets it from its node's inbox; a child of the node reads
-- a list of its own.
local function notify_code(id, node, pid, claim)
  if (pid or "0") == "0" then
    notify_node(id, node, claim, "resume")
    return
  end
  local key = base .. ":resumed:" .. id
  redis.call("LPUSH", key, claim)
  redis.call("LTRIM", key, 0, 9)
  redis.call("PEXPIRE", key, retention_ms)
end
