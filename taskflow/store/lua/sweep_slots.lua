-- Remove slots that no run holds and dispatch the runs that could have had them. Heals what a bug or a lost write left.
-- ARGV[7] cursor over the queues, "0" at first
-- Derives :queues, :queue:<queue>:slots, :environment:slots, :run:<id>, :node:<node>:runs, :upkeep.
-- Returns {1, {next cursor, slots removed}}: "0" ends the pass.

-- The slot's run may be unknown, so that every set of the queue is looked into.
local function forget_slot(id, queue)
  local key = queue_key(queue)
  if redis.call("HGET", run_key(id), "slot") == queue then
    free_slot(id)
  end
  redis.call("SREM", key .. ":slots", id)
  local concurrency_key = redis.call("HGET", key .. ":holders", id)
  if concurrency_key then
    redis.call("SREM", key .. ":slots:" .. concurrency_key, id)
    redis.call("HDEL", key .. ":holders", id)
    if has_pending(queue, concurrency_key) then
      give_turn(queue, concurrency_key)
    end
  end
  redis.call("SREM", base .. ":environment:slots", id)
end

local page = redis.call("SSCAN", base .. ":queues", cursor, "COUNT", 10)
local removed = 0
for _, queue in ipairs(page[2]) do
  for _, id in ipairs(redis.call("SMEMBERS", queue_key(queue) .. ":slots")) do
    local run = fields(run_key(id), "slot", "status", "node", "ticket")
    local is_on_node = run.node and redis.call("HEXISTS", base .. ":node:" .. run.node .. ":runs", id) == 1
    local is_held = run.slot == queue and (run.status == "QUEUED" and run.ticket or is_on_node)
    if not is_held then
      forget_slot(id, queue)
      removed = removed + 1
    end
  end
  rouse(queue)
  for _, pending_class in ipairs(redis.call("SMEMBERS", queue_key(queue) .. ":classes")) do
    if target(pending_class, queue) then
      unblock(class_of(pending_class), 10)
    end
  end
end
if page[1] == "0" then
  redis.call("HSET", base .. ":upkeep", "swept", now)
end
return { 1, { page[1], removed }, outbox }
