-- Make a run startable at its place in the order: pending behind its queue's limit, or on the class's shared Celery queue.
local function enqueue(id, is_front)
  local key = run_key(id)
  local run = redis.call("HMGET", key, "task", "payload", "args", "queue", "class", "order")
  local queue, class = run[4], run[5]
  local prefix = base .. ":queue:" .. queue
  redis.call("HSET", key, "status", "QUEUED")
  if redis.call("HEXISTS", prefix, "limit") == 0 then
    reserve(id, run, environment .. "." .. class, is_front)
    return
  end
  redis.call("ZADD", prefix .. ":pending:" .. class, run[6], id)
  redis.call("SADD", prefix .. ":classes", class)
  dispatch(queue)
end
