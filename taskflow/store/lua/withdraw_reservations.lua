-- Withdraw unclaimed reservations on Celery queues that lost their last node. The runs give their slots back and keep their
-- places in the order. Runs that preferred a version which is gone go to another one.
-- ARGV[7] most: at most how many
-- Derives :deserted, :unclaimed:<Celery queue>, :run:<id>.
-- Returns {1, how many were withdrawn}: as many as asked for means that more may be left.
local left, freed = tonumber(most), {}
for _, celery_queue in ipairs(redis.call("SRANDMEMBER", base .. ":deserted", 10)) do
  local ids = redis.call("SRANDMEMBER", base .. ":unclaimed:" .. celery_queue, left)
  for _, id in ipairs(ids) do
    local run = fields(run_key(id), "slot", "class", "order")
    withdraw(id)
    redis.call("SREM", base .. ":unclaimed:" .. celery_queue, id)
    if run.slot then
      local queue, concurrency_key = free_slot(id)
      rate_give_back(queue, read_limits(queue), concurrency_key)
      pend(id, queue, order_class(id, run.class), concurrency_key, run.order, true)
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
return { 1, tonumber(most) - left, outbox }
