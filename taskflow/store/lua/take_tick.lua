-- Let one node do the upkeep that is due; the reply to another is when to look again.
-- ARGV[7] node  [8] heartbeat_ms  [9] sweep_ms: the interval of sweeps  [10] hold_ms: how long the tick is held
-- Derives :tick, :delayed, :timers, :effects, :nodes, :ticket_queues, :canvas, :deserted, :upkeep.
-- Returns {1, what is due, e.g. "runs nodes sweep"} when this node has the tick, {0, ms to wait} when nothing is due or
--   another node has it.
local upkeep = fields(base .. ":upkeep", "reaped", "swept", "turned_back")

-- Returns the instant that follows the last one; an instant ahead of the clock was written before the clock was set back.
local function next_instant(last, interval_ms)
  local instant = tonumber(last or "0")
  return instant > now and 0 or instant + tonumber(interval_ms)
end
local instants = {
  nodes = next_instant(upkeep.reaped, heartbeat_ms),
  sweep = next_instant(upkeep.swept, sweep_ms),
  clock = upkeep.turned_back and 0 or math.huge,
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
-- A key that lives longer than the tick is held was written before the clock was set back.
local is_stale = redis.call("PTTL", base .. ":tick") > tonumber(hold_ms)
if is_stale or redis.call("SET", base .. ":tick", node, "NX", "PX", hold_ms) then
  if is_stale then
    redis.call("SET", base .. ":tick", node, "PX", hold_ms)
  end
  return { 1, table.concat(due, " "), outbox }
end
return { 0, tonumber(hold_ms), outbox }
