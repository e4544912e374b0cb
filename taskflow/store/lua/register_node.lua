-- Give a node its first lease and start runs that waited for its class.
-- ARGV[7] node  [8] lease_ms  [9] queues: JSON list of the Celery queues it consumes  [10] capacity  [11] classes: JSON list
--   [12] description JSON (host, pid, concurrency, version, faults)  [13] tasks that it has, JSON list
-- Derives :nodes, :node:<id>, :serving:<Celery queue>, :versions:<queue>@<version>, :knows:<Celery queue>, :deserted,
--   :blocked:<class>, :awaiting:code:<task>.
-- Returns {1, lease end in ms}.
local lease_end = now + tonumber(lease_ms)
redis.call("ZADD", base .. ":nodes", lease_end, node)
redis.call("HSET", base .. ":node:" .. node, "queues", queues, "classes", classes, "description", description, "since", now,
  "capacity", capacity)
for _, queue in ipairs(cjson.decode(queues)) do
  redis.call("HSET", base .. ":serving:" .. queue, node, capacity)
  redis.call("SREM", base .. ":deserted", queue)
  local kin = kin_of(queue)
  if kin and redis.call("SADD", base .. ":versions:" .. kin, queue) == 1 then
    for _, task in ipairs(cjson.decode(tasks)) do
      redis.call("SADD", base .. ":knows:" .. queue, task)
    end
  end
end
for _, task in ipairs(cjson.decode(tasks)) do
  if redis.call("EXISTS", base .. ":awaiting:code:" .. task) == 1 then
    set_timer("code:0 " .. task, now)
  end
end
for _, class in ipairs(cjson.decode(classes)) do
  unblock(class, 100)
end
return { 1, lease_end, outbox }
