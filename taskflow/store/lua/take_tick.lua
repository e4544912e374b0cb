-- Let one node do the upkeep that is due; the reply to another is when to look again. Schedules have a turn of their own,
-- which a node that died gives up sooner. The node that fired last looks first, so that not all look at each instant.
-- ARGV[7] node  [8] heartbeat_ms  [9] sweep_ms: the interval of sweeps  [10] hold_ms: how long the tick is held
--   [11] turn_ms: how long the turn to fire schedules is held  [12] behind_ms: how much later other nodes look at schedules
-- Derives :tick, :firing, :delayed, :timers, :schedules, :effects, :nodes, :ticket_queues, :canvas, :deserted, :upkeep.
-- Returns {1, what is due, e.g. "runs nodes sweep"} when this node has the tick, or the turn, {0, ms to wait} when nothing is
--   due or another node has it.
local upkeep = fields(base .. ":upkeep", "reaped", "swept", "turned_back", "firer")

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

-- Whether this node may go on: nobody holds the key, or who does held it before the clock was set back.
local function take(key, held_ms)
  local is_stale = redis.call("PTTL", base .. key) > tonumber(held_ms)
  return redis.call("SET", base .. key, node, is_stale and "XX" or "NX", "PX", held_ms)
end
local wait = first - now
if #due > 0 and not take(":tick", hold_ms) then
  due, wait = {}, tonumber(hold_ms)
end
local firing = tonumber(redis.call("ZRANGE", base .. ":schedules", 0, 0, "WITHSCORES")[2] or "inf")
if firing > now then
  wait = math.min(wait, firing - now + (upkeep.firer == node and 0 or tonumber(behind_ms)))
elseif take(":firing", turn_ms) then
  redis.call("HSET", base .. ":upkeep", "firer", node)
  due[#due + 1] = "schedules"
else
  wait = math.min(wait, redis.call("PTTL", base .. ":firing") + 1)
end
if #due == 0 then
  return { 0, math.ceil(wait), outbox }
end
return { 1, table.concat(due, " "), outbox }
