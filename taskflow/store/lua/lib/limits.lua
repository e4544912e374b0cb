-- Limits of a queue and of the environment. Derives :queue:<queue>, :queues, :environment.
local LIMITS = { "limit", "per_key", "total", "rate", "period" }

-- Keep a queue's declared limits. Those of a worker (`is_final`) replace older ones; those of a trigger count only while
-- the queue has none.
local function declare_limits(queue, declared, is_final)
  local key = queue_key(queue)
  if not is_final and redis.call("EXISTS", key) == 1 then
    return
  end
  redis.call("HDEL", key, unpack(LIMITS))
  for name, value in pairs(declared) do
    redis.call("HSET", key, name, value)
  end
  if redis.call("SADD", base .. ":queues", queue) == 1 then
    awaken("queue:" .. queue)
  end
end

-- An override of 0 is a pause: keys keep their turns, which no end of a run would give back.
local function read_limits(queue)
  local own = fields(queue_key(queue), "limit", "per_key", "total", "rate", "period", "override", "paused")
  local whole = fields(base .. ":environment", "limit", "burst", "paused")
  local most = tonumber(whole.limit)
  local is_zero = own.override == "0"
  local limit = math.min(tonumber(not is_zero and own.override or own.limit) or math.huge, most or math.huge)
  return {
    limit = limit, per_key = math.min(tonumber(own.per_key) or limit, most or math.huge), total = tonumber(own.total),
    rate = tonumber(own.rate), period = tonumber(own.period), is_paused = own.paused or whole.paused or is_zero,
    environment = most and math.floor(most * tonumber(whole.burst or "1") + 1e-9),
  }
end
