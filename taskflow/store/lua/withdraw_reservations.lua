-- Take unclaimed reservations back from Celery queues that lost their last node: slot back, place kept. Runs that preferred
-- a version which is gone go to another one.
-- include: event push reserve timers queue limits slots pending grant dispatch enqueue move
-- ARGV[7] at most how many
-- Derives :deserted, :unclaimed:<Celery queue>, :run:<id>.
-- Returns {1, how many were withdrawn}: as many as asked for means that more may be left.
local left, freed = tonumber(ARGV[7]), {}
for _, celery_queue in ipairs(redis.call("SRANDMEMBER", base .. ":deserted", 10)) do
  local ids = redis.call("SRANDMEMBER", base .. ":unclaimed:" .. celery_queue, left)
  for _, id in ipairs(ids) do
    local run = redis.call("HMGET", run_key(id), "slot", "class", "order", "ckey")
    withdraw(id)
    redis.call("SREM", base .. ":unclaimed:" .. celery_queue, id)
    if run[1] then
      local queue, concurrency_key = free_slot(id)
      rate_give_back(queue, read_limits(queue), concurrency_key)
      pend(id, queue, order_class(id, run[2]), concurrency_key, run[3], true)
      freed[queue] = true
    end
  end
  left = left - #ids
  local is_empty = redis.call("EXISTS", base .. ":unclaimed:" .. celery_queue) == 0
  if is_empty and kin_of(celery_queue) then
    left = left - move_runs(celery_queue, left)
    is_empty = forget_queue(celery_queue)
  end
  if is_empty then
    redis.call("SREM", base .. ":deserted", celery_queue)
  end
  if left == 0 then
    break
  end
end
for queue in pairs(freed) do
  dispatch(queue)
end
return { 1, tonumber(ARGV[7]) - left, outbox }
