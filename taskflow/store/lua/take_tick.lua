-- Let one node do the upkeep that is due, and tell the others when to look again.
-- ARGV[7] node id  [8] heartbeat ms  [9] sweep interval ms  [10] how long the tick is held, ms
-- Derives :tick, :delayed, :timers, :effects, :nodes, :ticket_queues, :canvas, :deserted, :upkeep.
-- Returns {1, 0} when something is due and this node has the tick, {1, -1} when a sweep is due as well, {0, ms to wait}
--   when nothing is due or another node has the tick.
local function head(name)
  return tonumber(redis.call("ZRANGE", base .. name, 0, 0, "WITHSCORES")[2] or "inf")
end
local upkeep = redis.call("HMGET", base .. ":upkeep", "reaped", "swept")
local sweep = (tonumber(upkeep[2] or "0")) + tonumber(ARGV[9])
local reap = (tonumber(upkeep[1] or "0")) + tonumber(ARGV[8])
local due = math.min(head(":delayed"), head(":timers"), head(":nodes"), head(":ticket_queues"), head(":canvas"), reap, sweep)
if redis.call("EXISTS", base .. ":deserted", base .. ":effects") > 0 then
  due = now
end
if due > now then
  return { 0, math.ceil(due - now), outbox }
end
if redis.call("SET", base .. ":tick", ARGV[7], "NX", "PX", ARGV[10]) then
  return { 1, sweep <= now and -1 or 0, outbox }
end
return { 0, tonumber(ARGV[10]), outbox }
