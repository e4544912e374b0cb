-- Take the runs of nodes whose lease has ended. After a pause in reaping, or a jump of the clock, every node first gets a
-- heartbeat's time to renew its lease, so that a store that was away does not make running work run twice.
-- ARGV[7] lease_ms  [8] heartbeat_ms  [9] most: at most how many runs  [10] error JSON for the lost attempts
-- Derives :nodes, :node:<id>, :node:<id>:runs, :upkeep, :ticket_queues, :suspects, :canvas.
-- Returns {1, runs taken, or -1 when leases were granted instead}: as many as asked for means that more are left.
local upkeep = base .. ":upkeep"
local pause, lease, count = tonumber(heartbeat_ms), tonumber(lease_ms), tonumber(most)
local before = tonumber(redis.call("HGET", upkeep, "reaped"))

-- No lease is longer than a new one, because the clock may have been set back since it was given.
local function grant_leases()
  local nodes = redis.call("ZRANGEBYSCORE", base .. ":nodes", "(0", "+inf", "WITHSCORES")
  for index = 1, #nodes, 2 do
    local lease_end = math.max(now + pause, math.min(tonumber(nodes[index + 1]), now + lease))
    redis.call("ZADD", base .. ":nodes", lease_end, nodes[index])
  end
end

-- Look at tickets and canvas at once, and let follow_clock look at the rest: their instants are too far ahead now.
local function turn_back()
  redis.call("HSET", upkeep, "turned_back", now)
  for _, queue in ipairs(redis.call("ZRANGE", base .. ":ticket_queues", 0, -1)) do
    redis.call("HSET", base .. ":suspects", queue, 1)
    redis.call("ZADD", base .. ":ticket_queues", now, queue)
  end
  for _, id in ipairs(redis.call("ZRANGEBYSCORE", base .. ":canvas", now, "+inf", "LIMIT", 0, 1000)) do
    redis.call("ZADD", base .. ":canvas", now, id)
  end
end

redis.call("HSET", upkeep, "reaped", now)
if not before or now - before > 2 * pause or now < before then
  grant_leases()
  if before and now < before then
    turn_back()
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
    redis.call("HINCRBY", base .. ":node:" .. node, "given_up", had - left)
    break
  end
  note_loss(node, had)
  forget_node(node)
end
return { 1, taken, outbox }
