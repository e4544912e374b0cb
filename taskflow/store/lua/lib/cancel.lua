-- End a run from outside. Its status is final at once. Its node stops code that executes, and keeps the slot until then.
-- Derives :run:<id>, :delayed, :awaiting:<task or queue>, :queue:<queue>:turns.

-- Returns whether this call ended the run, and its status.
local function end_run(id, status, error)
  local key = run_key(id)
  local run = fields(
    key, "status", "queue", "class", "node", "claim", "finished", "ckey", "settled", "nonce", "parked", "awaiting"
  )
  local queue, concurrency_key = run.queue, run.ckey or ""
  if not run.status or run.finished or run.settled then -- settled: it has ended and is in its final hooks
    return false, run.status or "MISSING"
  end
  redis.call("HSET", key, "error", error)
  if run.status == "EXECUTING" or run.parked and run.node then
    if run.status == "QUEUED" then -- it waited for its slot
      unpend(id, queue, held_class(run.node), concurrency_key)
    end
    notify_node(id, run.node, run.claim, status == "TIMED_OUT" and "timeout" or "cancel")
    close_run(id, status)
    redis.call("HSET", key, "nonce", run.nonce) -- the claim's reply may be on its way, or lost: see claim_run
    leave_hooks_to_code(id)
    return true, status
  end
  redis.call("ZREM", base .. ":delayed", id)
  if run.awaiting then
    stop_awaiting(run.awaiting, id)
    clear_timer("patience:" .. id)
  end
  unpend(id, queue, order_class(id, run.class), concurrency_key)
  if not has_pending(queue, concurrency_key) then
    redis.call("ZREM", queue_key(queue) .. ":turns", concurrency_key)
  end
  local has_left_room = withdraw(id)
  close_run(id, status)
  release_slot(id)
  request_hooks(id)
  if has_left_room then
    unblock(run.class, 1)
  end
  return true, status
end
