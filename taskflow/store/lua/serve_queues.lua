-- Have a node take from Celery queues that it consumes again, or leave them alone for now: a node full of waiting runs takes
-- no ordinary ones. Reservations on a queue from which no node takes give their slots back, as when its last node ends.
-- ARGV[7] node  [8] queues: JSON list of Celery queues  [9] capacity, 0 to leave them alone  [10] classes of the node, JSON
-- Derives :nodes, :node:<id>, :serving:<Celery queue>, :deserted, :blocked:<class>.
-- Returns {1, 1}, {0, "UNREGISTERED"} when the node takes no runs any more.
local is_serving = tonumber(capacity) > 0
if redis.call("HEXISTS", base .. ":node:" .. node, "queues") == 0 then
  return { 0, "UNREGISTERED", outbox }
end
for _, queue in ipairs(cjson.decode(queues)) do
  local serving = base .. ":serving:" .. queue
  if is_serving then
    redis.call("HSET", serving, node, capacity)
    redis.call("SREM", base .. ":deserted", queue)
  else
    redis.call("HDEL", serving, node)
    if redis.call("EXISTS", serving) == 0 then
      redis.call("SADD", base .. ":deserted", queue)
    end
  end
end
if is_serving then
  for _, class in ipairs(cjson.decode(classes)) do
    unblock(class, 100)
  end
end
return { 1, 1, outbox }
