-- Remove slots that no run holds and dispatch what could have had them. Heals what a bug or a lost write left behind.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- ARGV[7] cursor over the queues, "0" at first
-- Derives :queues, :queue:<queue>:slots, :environment:slots, :run:<id>, :node:<node>:runs, :upkeep, :finished.
-- Returns {1, {next cursor, slots removed}}: "0" ends the pass.
-- What a slot's run was may be unknown: look for it in every set of the queue.
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

local FORGOTTEN = 1000
local scan = redis.call("SSCAN", base .. ":queues", ARGV[7], "COUNT", 10)
local removed = 0
for _, queue in ipairs(scan[2]) do
  local slots = queue_key(queue) .. ":slots"
  for _, id in ipairs(redis.call("SMEMBERS", slots)) do
    local run = redis.call("HMGET", run_key(id), "slot", "status", "node", "ticket")
    local runs = run[3] and redis.call("HEXISTS", base .. ":node:" .. run[3] .. ":runs", id) == 1
    local holds = run[1] == queue and (run[2] == "QUEUED" and run[4] or runs)
    if not holds then
      forget_slot(id, queue)
      removed = removed + 1
    end
  end
  rouse(queue)
  for _, class in ipairs(redis.call("SMEMBERS", queue_key(queue) .. ":classes")) do
    if target(class, queue) then
      unblock(class_of(class), 10)
    end
  end
end
if scan[1] == "0" then
  redis.call("HSET", base .. ":upkeep", "swept", now)
  redis.call("ZREMRANGEBYSCORE", base .. ":finished", "-inf", now - retention_ms)
  for _, id in ipairs(redis.call("ZRANGE", base .. ":finished", 0, FORGOTTEN - 1)) do -- the oldest leave first
    if redis.call("EXISTS", run_key(id)) == 1 then
      break
    end
    redis.call("ZREM", base .. ":finished", id)
  end
end
return { 1, { scan[1], removed }, outbox }
