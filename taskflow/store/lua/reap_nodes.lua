-- Take the runs of nodes whose lease is over. After a pause in reaping, or a jump of the clock, every node first gets a
-- full lease: a store that was away must not make running work run twice.
-- include: event push reserve timers queue limits slots pending grant dispatch enqueue close release hooks executing attempt nodes
-- more: waits
-- ARGV[7] lease ms  [8] heartbeat ms  [9] at most how many runs  [10] error JSON for the lost attempts
-- Derives :nodes, :node:<id>, :node:<id>:runs, :upkeep.
-- Returns {1, runs taken, or -1 when leases were granted instead}: as many as asked for means that more are left.
local upkeep = base .. ":upkeep"
local lease, count = tonumber(ARGV[7]), tonumber(ARGV[9])
local before = tonumber(redis.call("HGET", upkeep, "reaped"))
redis.call("HSET", upkeep, "reaped", now)
if not before or now - before > 2 * tonumber(ARGV[8]) or now < before then
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
  redis.call("ZADD", base .. ":nodes", 0, node) -- its lease is over for good, whatever it says from now on
  desert(node)
  local had = redis.call("HLEN", base .. ":node:" .. node .. ":runs")
  local left = give_up_node(node, count - taken, "LOST", ARGV[10])
  taken = taken + had - left
  if left > 0 then
    break
  end
  forget(node)
end
return { 1, taken, outbox }
