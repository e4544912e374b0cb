-- Read queues with their limits and load.
-- include: queue limits
-- ARGV[7] one queue, or "" for all
-- Derives :queues, :queue:<queue>, :queue:<queue>:slots, :load, :environment.
-- Returns {1, list of {queue, limit, per_key, total, rate, period, override, overridden, paused, running, queued, delayed, pending}};
--   the first one, without a name, is the environment. {0, "MISSING"} for one queue that is unknown.
local function describe(queue, key)
  local found = { queue }
  local fields = redis.call("HMGET", key, "limit", "per_key", "total", "rate", "period", "override", "overridden", "paused")
  for index = 1, 8 do
    found[index + 1] = fields[index] or ""
  end
  for index, load in ipairs({ "running", "queued", "delayed", "pending" }) do
    found[index + 9] = queue == "" and "" or redis.call("HGET", base .. ":load", load .. ":" .. queue) or "0"
  end
  return found
end

local known = base .. ":queues"
if ARGV[7] ~= "" then
  local load = redis.call("HMGET", base .. ":load", "queued:" .. ARGV[7], "pending:" .. ARGV[7])
  local is_used = load[1] or load[2]
  if redis.call("SISMEMBER", known, ARGV[7]) == 0 and not is_used then
    return { 0, "MISSING", outbox }
  end
  return { 1, { describe(ARGV[7], queue_key(ARGV[7])) }, outbox }
end
local found = { describe("", base .. ":environment") }
for _, queue in ipairs(redis.call("SMEMBERS", known)) do
  found[#found + 1] = describe(queue, queue_key(queue))
end
return { 1, found, outbox }
