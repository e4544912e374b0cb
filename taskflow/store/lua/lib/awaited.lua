-- Let an older run start where runs start that others wait for, because one waits for it from now on. Derives :run:<id>.
-- A slot that is reserved for it stays reserved until withdraw_reservations.
local function start_as_awaited(id, waiter)
  local key = run_key(id)
  local run = fields(
    key, "task", "payload", "args", "trace", "status", "waiter", "queue", "class", "ckey", "ticket", "slot", "node"
  )
  if not run.status or run.waiter or redis.call("HEXISTS", key, "finished") == 1 then
    return
  end
  local is_pending = run.status == "QUEUED" and not run.ticket and not run.node
  if is_pending then
    unpend(id, run.queue, run.class, run.ckey or "")
  end
  redis.call("HSET", key, "waiter", waiter)
  if is_pending then
    enqueue(id, false)
  elseif run.status == "QUEUED" and run.ticket and not run.slot and shared_queue(run.class, waiter) ~= run.ticket then
    withdraw(id)
    reserve(id, run, shared_queue(run.class, waiter), false)
  end
end
