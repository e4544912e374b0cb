-- End a run from outside. Final at once; code that executes is stopped by its node, which keeps the slot until it has.
-- Derives :delayed, :awaiting:<task or queue>.
-- Returns whether this call ended it.
local function end_run(id, status, error)
  local key = run_key(id)
  local run = redis.call("HMGET", key, "status", "queue", "class", "node", "claim", "finished", "ckey", "settled", "nonce", "parked", "awaiting")
  if not run[1] or run[6] or run[8] then -- settled: it has ended and is in its final hooks
    return false, run[1] or "MISSING"
  end
  redis.call("HSET", key, "error", error)
  if run[1] == "EXECUTING" or run[10] and run[4] then
    if run[1] == "QUEUED" then -- it waited for its slot
      unpend(id, run[2], held_class(run[4]), run[7] or "")
    end
    tell_node(id, run[4], run[5], status == "TIMED_OUT" and "timeout" or "cancel")
    close(id, status)
    redis.call("HSET", key, "nonce", run[9]) -- the claim's reply may be on its way, or lost: see claim_run
    leave_hooks_to_code(id)
    return true, status
  end
  redis.call("ZREM", base .. ":delayed", id)
  if run[11] then
    redis.call("ZREM", base .. ":awaiting:" .. run[11], id)
    clear_timer("patience:" .. id)
  end
  unpend(id, run[2], order_class(id, run[3]), run[7] or "")
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
