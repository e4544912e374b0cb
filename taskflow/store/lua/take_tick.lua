-- Let one node do the upkeep that is due, and tell the others when to look again.
-- ARGV[7] node id  [8] heartbeat ms  [9] sweep interval ms  [10] how long the tick is held, ms
-- Derives :tick, :delayed, :timers, :effects, :nodes, :ticket_queues, :canvas, :deserted, :upkeep.
-- Returns {1, what is due, e.g. "runs nodes sweep"} when this node has the tick, {0, ms to wait} when nothing is due or
--   another node has it.
local upkeep = redis.call("HMGET", base .. ":upkeep", "reaped", "swept")
local instants = {
  nodes = tonumber(upkeep[1] or "0") + tonumber(ARGV[8]),
  sweep = tonumber(upkeep[2] or "0") + tonumber(ARGV[9]),
}
for name, key in pairs({ runs = ":delayed", timers = ":timers", nodes = ":nodes", tickets = ":ticket_queues", canvas = ":canvas" }) do
  local head = redis.call("ZRANGE", base .. key, 0, 0, "WITHSCORES")[2]
  instants[name] = math.min(instants[name] or math.huge, tonumber(head or "inf"))
end
for name, key in pairs({ deserted = ":deserted", effects = ":effects" }) do
  instants[name] = redis.call("EXISTS", base .. key) == 1 and 0 or math.huge
end
local first, due = math.huge, {}
for name, instant in pairs(instants) do
  first = math.min(first, instant)
  if instant <= now then
    due[#due + 1] = name
  end
end
if #due == 0 then
  return { 0, math.ceil(first - now), outbox }
end
if redis.call("SET", base .. ":tick", ARGV[7], "NX", "PX", ARGV[10]) then
  return { 1, table.concat(due, " "), outbox }
end
return { 0, tonumber(ARGV[10]), outbox }
