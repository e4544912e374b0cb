-- Read queues with their limits and load.
-- ARGV[7] queue, "" for all
-- Derives :queues, :queue:<queue>, :load, :environment.
-- Returns {1, list of {queue, limit, per_key, total, rate, period, override, overridden, overridden_by, paused,
--   paused_by, paused_note, burst, running, queued, delayed, pending}};
--   the first of all queues, without a name, is the environment. {0, "MISSING"} for one queue that is unknown.
local LIMITS_READ = {
  "limit", "per_key", "total", "rate", "period", "override", "overridden", "overridden_by", "paused", "paused_by",
  "paused_note", "burst",
}

local function describe(name, key)
  local row = { name }
  local limits = redis.call("HMGET", key, unpack(LIMITS_READ))
  for index = 1, #LIMITS_READ do
    row[#row + 1] = limits[index] or ""
  end
  for _, load in ipairs({ "running", "queued", "delayed", "pending" }) do
    row[#row + 1] = name == "" and "" or redis.call("HGET", base .. ":load", load .. ":" .. name) or "0"
  end
  return row
end

local known = base .. ":queues"
if queue ~= "" then
  local queued, pending = unpack(redis.call("HMGET", base .. ":load", "queued:" .. queue, "pending:" .. queue))
  if redis.call("SISMEMBER", known, queue) == 0 and not (queued or pending) then
    return { 0, "MISSING", outbox }
  end
  return { 1, { describe(queue, queue_key(queue)) }, outbox }
end
local rows = { describe("", base .. ":environment") }
for _, name in ipairs(redis.call("SMEMBERS", known)) do
  rows[#rows + 1] = describe(name, queue_key(name))
end
return { 1, rows, outbox }
