-- Reserve slots of a limited queue for its oldest pending runs whose class has a live node with room.
-- Derives :queue:<queue> (limit), :queue:<queue>:slots, :queue:<queue>:classes, :queue:<queue>:pending:<class>,
-- :blocked:<class>, :serving:<Celery queue>, :unclaimed:<Celery queue>.
local DISPATCHES = 100

local function capacity(celery_queue)
  local total = 0
  for _, slots in ipairs(redis.call("HVALS", base .. ":serving:" .. celery_queue)) do
    total = total + tonumber(slots)
  end
  return total
end

-- The Celery queue on which a run of this class could start now: the dedicated one while a node serves it.
local function target(class, queue)
  local shared = environment .. "." .. class
  local dedicated = shared .. "." .. queue
  local room = capacity(dedicated)
  local celery_queue = dedicated
  if room == 0 then
    room, celery_queue = capacity(shared), shared
  end
  if redis.call("SCARD", base .. ":unclaimed:" .. celery_queue) < 2 * room then
    return celery_queue
  end
end

-- The oldest head among the classes that can start it: {class, Celery queue, run id}.
local function next_pending(queue)
  local prefix = base .. ":queue:" .. queue
  local best, best_order
  for _, class in ipairs(redis.call("SMEMBERS", prefix .. ":classes")) do
    local head = redis.call("ZRANGE", prefix .. ":pending:" .. class, 0, 0, "WITHSCORES")
    if not head[1] then
      redis.call("SREM", prefix .. ":classes", class)
    else
      local celery_queue = target(class, queue)
      if not celery_queue then
        redis.call("SADD", base .. ":blocked:" .. class, queue)
      elseif not best or tonumber(head[2]) < best_order then
        best, best_order = { class, celery_queue, head[1] }, tonumber(head[2])
      end
    end
  end
  return best
end

local function dispatch(queue)
  local prefix = base .. ":queue:" .. queue
  local limit = tonumber(redis.call("HGET", prefix, "limit")) or math.huge
  for _ = 1, DISPATCHES do
    if redis.call("SCARD", prefix .. ":slots") >= limit then
      return
    end
    local found = next_pending(queue)
    if not found then
      return
    end
    local class, celery_queue, id = found[1], found[2], found[3]
    redis.call("ZREM", prefix .. ":pending:" .. class, id)
    redis.call("SADD", prefix .. ":slots", id)
    redis.call("SADD", base .. ":unclaimed:" .. celery_queue, id)
    redis.call("HSET", run_key(id), "slot", queue)
    reserve(id, redis.call("HMGET", run_key(id), "task", "payload", "args"), celery_queue, false)
  end
end

-- Room appeared in a class: let the queues that waited for it dispatch, `count` of them.
local function unblock(class, count)
  for _, queue in ipairs(redis.call("SPOP", base .. ":blocked:" .. class, count)) do
    dispatch(queue)
  end
end
