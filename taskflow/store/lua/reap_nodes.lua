-- Take the runs of nodes whose lease has ended. After a pause in reaping, or a jump of the clock, every node first gets a
-- full lease, so that a store that was away does not make running work run twice.
-- ARGV[7] lease_ms  [8] heartbeat_ms  [9] most: at most how many runs  [10] error JSON for the lost attempts
-- Derives :nodes, :node:<id>, :node:<id>:runs, :upkeep.
-- Returns {1, runs taken, or -1 when leases were granted instead}: as many as asked for means that more are left.
local upkeep = base .. ":upkeep"
local lease, count = tonumber(lease_ms), tonumber(most)
local before = tonumber(redis.call("HGET", upkeep, "reaped"))
redis.call("HSET", upkeep, "reaped", now)
if not before or now - before > 2 * tonumber(heartbeat_ms) or now < before then
  for _, node in ipairs(redis.call("ZRANGEBYSCORE", base .. ":nodes", "(0", "+inf")) do
    redis.call("ZADD", base .. ":nodes", now + lease, node)
  end
  return { 1, -1, outbox }
end
local taken = 0
for _, node in ipairs(redis.call("ZRANGEBYSCORE", base .. ":nodes", "-inf", now, "LIMIT", 0, 100)) do
  if taken >= count then
    break
  end
  redis.call("ZADD", base .. ":nodes", 0, node) -- 0 is an ended lease: a late heartbeat does not renew it
  desert_queues(node)
  local had = redis.call("HLEN", base .. ":node:" .. node .. ":runs")
  local left = give_up_node(node, count - taken, "LOST", error)
  taken = taken + had - left
  if left > 0 then
    break
  end
  forget_node(node)
end
return { 1, taken, outbox }
