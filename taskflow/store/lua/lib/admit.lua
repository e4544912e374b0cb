-- Admit a claim only while its queue allows it. Derives :environment:waiting.

-- A ticket may have been published before its queue was paused or got a limit. Returns whether the run has a slot, or got
-- one now. A run that may not start is pending again, before all others.
local function admit(id, queue, class, slot, concurrency_key, order)
  local limits = read_limits(queue)
  local full = not slot and is_full(queue, limits)
  local has_slot = slot or not full and has_room(queue, limits, concurrency_key)
  if limits.is_paused or not has_slot then
    local has_left_room = withdraw(id)
    free_slot(id)
    pend(id, queue, order_class(id, class), concurrency_key, order, true)
    if full == "environment" then
      redis.call("ZADD", base .. ":environment:waiting", "NX", now_us, queue)
    end
    pass_environment_slot()
    if has_left_room then
      unblock(class, 1)
    end
    return false
  end
  if not slot then
    take_slot(id, queue, limits, concurrency_key)
  end
  return true
end
