-- Give a run's slot back and start the runs that waited for it.
local function release_slot(id)
  local queue, concurrency_key = free_slot(id)
  if not queue then
    return
  end
  if has_pending(queue, concurrency_key) then
    give_turn(queue, concurrency_key)
  end
  pass_environment_slot()
  dispatch(queue)
end
