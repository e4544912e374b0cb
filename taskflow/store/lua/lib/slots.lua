-- Slots of a queue and of the environment. They are members of sets, so that giving one back twice is harmless.
-- Derives :queue:<queue>:slots, :queue:<queue>:slots:<key>, :queue:<queue>:holders, :environment:slots.
local function slots_used(queue, concurrency_key)
  local key = queue_key(queue)
  if concurrency_key ~= "" then
    return redis.call("SCARD", key .. ":slots:" .. concurrency_key)
  end
  return redis.call("SCARD", key .. ":slots") - redis.call("HLEN", key .. ":holders")
end

-- Returns "queue" or "environment" when it is full, so that no run of the queue may take a slot; else nothing.
local function is_full(queue, limits)
  if limits.total and redis.call("SCARD", queue_key(queue) .. ":slots") >= limits.total then
    return "queue"
  end
  if limits.environment and redis.call("SCARD", base .. ":environment:slots") >= limits.environment then
    return "environment"
  end
end

local function has_room(queue, limits, concurrency_key)
  return slots_used(queue, concurrency_key) < (concurrency_key == "" and limits.limit or limits.per_key)
end

local function take_slot(id, queue, limits, concurrency_key)
  local key = queue_key(queue)
  redis.call("SADD", key .. ":slots", id)
  if concurrency_key ~= "" then
    redis.call("SADD", key .. ":slots:" .. concurrency_key, id)
    redis.call("HSET", key .. ":holders", id, concurrency_key)
  end
  if limits.environment then
    redis.call("SADD", base .. ":environment:slots", id)
  end
  redis.call("HSET", run_key(id), "slot", queue)
end

-- Returns the queue and the concurrency key of the slot that the run has given back, nothing when it had no slot.
local function free_slot(id)
  local run = fields(run_key(id), "slot", "ckey")
  local queue, concurrency_key = run.slot, run.ckey or ""
  if not queue then
    return
  end
  local key = queue_key(queue)
  redis.call("HDEL", run_key(id), "slot")
  redis.call("SREM", key .. ":slots", id)
  if concurrency_key ~= "" then
    redis.call("SREM", key .. ":slots:" .. concurrency_key, id)
    redis.call("HDEL", key .. ":holders", id)
  end
  redis.call("SREM", base .. ":environment:slots", id)
  return queue, concurrency_key
end
