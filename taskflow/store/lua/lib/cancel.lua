-- End a run from outside. Final at once; code that executes is stopped by its node, which keeps the slot until it has.
-- Derives :delayed, :node:<node>:inbox, :awaiting:<task or queue>.
local function tell_node(id, node, claim, kind)
  local inbox = base .. ":node:" .. node .. ":inbox"
  redis.call("XADD", inbox, "*", "kind", kind, "run", id, "claim", claim)
  redis.call("PEXPIRE", inbox, retention_ms)
end

-- Returns whether this call ended it.
local function end_run(id, status, error)
  local key = run_key(id)
  local run = redis.call("HMGET", key, "status", "queue", "class", "node", "claim", "finished", "ckey", "settled", "nonce", "awaiting")
  if not run[1] or run[6] or run[8] then -- settled: it has ended and is in its final hooks
    return false, run[1] or "MISSING"
  end
  redis.call("HSET", key, "error", error)
  if run[1] == "EXECUTING" then
    tell_node(id, run[4], run[5], status == "TIMED_OUT" and "timeout" or "cancel")
    close(id, status)
    redis.call("HSET", key, "nonce", run[9]) -- the claim's reply may be on its way, or lost: see claim_run
    leave_hooks_to_code(id)
    return true, status
  end
  redis.call("ZREM", base .. ":delayed", id)
  if run[10] then
    redis.call("ZREM", base .. ":awaiting:" .. run[10], id)
    clear_timer("patience:" .. id)
  end
  unpend(id, run[2], run[3], run[7] or "")
  if not has_pending(run[2], run[7] or "") then
    redis.call("ZREM", queue_key(run[2]) .. ":turns", run[7] or "")
  end
  local has_left_room = withdraw(id)
  close(id, status)
  release_slot(id)
  request_hooks(id)
  if has_left_room then
    unblock(run[3], 1)
  end
  return true, status
end
