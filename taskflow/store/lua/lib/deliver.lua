-- Complete items of waits, and let runs go on whose wait is done. Derives :run:<id>, :waits:<run>.

-- Let a run's code go on because one of its waits is done. It takes its slot back first, at its old place in the order.
local function resume(id)
  local key = run_key(id)
  local run = fields(key, "status", "queue", "node", "pid", "claim", "ckey", "order", "unloading")
  local queue, node = run.queue, run.node
  if run.status == "EXECUTING" then
    notify_code(id, node, run.pid, run.claim)
  elseif run.status ~= "WAITING" then
    return
  elseif run.unloading then -- its code is being left: see unload_run
    redis.call("HSET", key, "ready", 1)
  elseif not node then
    enqueue(id, false)
  elseif is_governed(queue) then
    set_status(id, queue, "WAITING", "QUEUED")
    pend(id, queue, held_class(node), run.ckey or "", run.order, false)
    dispatch(queue)
  else
    grant(id, queue, "WAITING")
  end
end

-- Complete an item of a wait, once. An item of a wait that was forgotten is ignored.
local function deliver(id, wait, index, value)
  local waits = waits_key(id)
  if redis.call("HEXISTS", waits, wait .. ":left") == 0 or redis.call("HSETNX", waits, wait .. ":" .. index, value) == 0 then
    return
  end
  if redis.call("HINCRBY", waits, wait .. ":left", -1) == 0 then
    resume(id)
  end
end
