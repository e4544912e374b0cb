-- Give the slot back and let what waited for it have it. Derives :environment:waiting.
local function release_slot(id)
  local queue, concurrency_key = free_slot(id)
  if not queue then
    return
  end
  if has_pending(queue, concurrency_key) then
    give_turn(queue, concurrency_key)
  end
  local waiting = redis.call("ZPOPMIN", base .. ":environment:waiting")[1]
  if waiting and waiting ~= queue then
    dispatch(waiting)
  end
  dispatch(queue)
end
