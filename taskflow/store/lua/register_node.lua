-- Give a node its first lease and let what waited for its class start.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- ARGV[7] node id  [8] lease ms  [9] JSON list of the Celery queues it consumes  [10] capacity  [11] JSON list of its classes
--   [12] description JSON (host, pid, concurrency, version)  [13] JSON list of the tasks it knows
-- Derives :nodes, :node:<id>, :serving:<Celery queue>, :versions:<queue>@<version>, :knows:<Celery queue>, :deserted,
--   :blocked:<class>.
-- Returns {1, lease end in ms}.
local node, lease_end = ARGV[7], now + tonumber(ARGV[8])
redis.call("ZADD", base .. ":nodes", lease_end, node)
redis.call("HSET", base .. ":node:" .. node, "queues", ARGV[9], "classes", ARGV[11], "description", ARGV[12], "since", now)
for _, queue in ipairs(cjson.decode(ARGV[9])) do
  redis.call("HSET", base .. ":serving:" .. queue, node, ARGV[10])
  redis.call("SREM", base .. ":deserted", queue)
  local kin = kin_of(queue)
  if kin and redis.call("SADD", base .. ":versions:" .. kin, queue) == 1 then
    for _, task in ipairs(cjson.decode(ARGV[13])) do
      redis.call("SADD", base .. ":knows:" .. queue, task)
    end
  end
end
for _, class in ipairs(cjson.decode(ARGV[11])) do
  unblock(class, 100)
end
return { 1, lease_end, outbox }
