-- Say that a node takes from Celery queues it consumes again, or for now no longer: a node full of waiting runs leaves the
-- ordinary ones alone. What is reserved on a queue that nobody takes from gives its slots back, as when its last node ends.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- ARGV[7] node id  [8] JSON list of Celery queues  [9] capacity, 0 to leave them alone  [10] JSON list of the node's classes
-- Derives :nodes, :node:<id>, :serving:<Celery queue>, :deserted, :blocked:<class>.
-- Returns {1, 1}, {0, "UNREGISTERED"} when the node takes no runs any more.
local node, capacity = ARGV[7], tonumber(ARGV[9])
if redis.call("HEXISTS", base .. ":node:" .. node, "queues") == 0 then
  return { 0, "UNREGISTERED", outbox }
end
for _, queue in ipairs(cjson.decode(ARGV[8])) do
  local serving = base .. ":serving:" .. queue
  if capacity > 0 then
    redis.call("HSET", serving, node, capacity)
    redis.call("SREM", base .. ":deserted", queue)
  else
    redis.call("HDEL", serving, node)
    if redis.call("EXISTS", serving) == 0 then
      redis.call("SADD", base .. ":deserted", queue)
    end
  end
end
if capacity > 0 then
  for _, class in ipairs(cjson.decode(ARGV[10])) do
    unblock(class, 100)
  end
end
return { 1, 1, outbox }
