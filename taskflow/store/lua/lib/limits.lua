-- What a queue and the environment allow. Derives :queue:<queue>, :queue:<queue>:rates:<key>, :queues, :environment.
local LIMITS = { "limit", "per_key", "total", "rate", "period" }

-- A worker's word replaces what was known; a trigger's counts for a queue that nobody has declared yet.
local function declare_limits(queue, fields, is_final)
  local key = queue_key(queue)
  if not is_final and redis.call("EXISTS", key) == 1 then
    return
  end
  redis.call("HDEL", key, unpack(LIMITS))
  for name, value in pairs(fields) do
    redis.call("HSET", key, name, value)
  end
  if redis.call("SADD", base .. ":queues", queue) == 1 then
    awaken("queue:" .. queue)
  end
end

local function read_limits(queue)
  local own = redis.call("HMGET", queue_key(queue), "limit", "per_key", "total", "rate", "period", "override", "paused")
  local whole = redis.call("HMGET", base .. ":environment", "limit", "burst", "paused")
  local most = tonumber(whole[1])
  local limit = math.min(tonumber(own[6] or own[1]) or math.huge, most or math.huge)
  return {
    limit = limit, per_key = math.min(tonumber(own[2]) or limit, most or math.huge), total = tonumber(own[3]),
    rate = tonumber(own[4]), period = tonumber(own[5]), is_paused = own[7] or whole[3],
    environment = most and math.floor(most * tonumber(whole[2] or "1") + 1e-9),
  }
end

-- GCRA (ITU-T I.371): a bucket of `rate` tokens that fills in `period`. Returns microseconds until the next start.
local function rate_wait(queue, limits, concurrency_key)
  if not limits.rate then
    return 0
  end
  local arrival = tonumber(redis.call("GET", queue_key(queue) .. ":rates:" .. concurrency_key) or "0")
  if arrival > now_us + limits.period then -- the debt of another rate, declared before
    arrival = now_us + limits.period
    redis.call("SET", queue_key(queue) .. ":rates:" .. concurrency_key, string.format("%.0f", arrival), "PX", math.ceil(limits.period / 1000))
  end
  return math.max(0, arrival - (limits.period - limits.period / limits.rate) - now_us)
end

-- A reservation was withdrawn: nothing started for its token.
local function rate_give_back(queue, limits, concurrency_key)
  local key = queue_key(queue) .. ":rates:" .. concurrency_key
  local arrival = limits.rate and tonumber(redis.call("GET", key))
  if arrival then
    arrival = arrival - limits.period / limits.rate
    if arrival > now_us then
      redis.call("SET", key, string.format("%.0f", arrival), "PX", math.ceil((arrival - now_us) / 1000))
    else
      redis.call("DEL", key)
    end
  end
end

local function rate_take(queue, limits, concurrency_key)
  if limits.rate then
    local key = queue_key(queue) .. ":rates:" .. concurrency_key
    local arrival = math.min(now_us + limits.period, math.max(now_us, tonumber(redis.call("GET", key) or "0")))
    arrival = arrival + limits.period / limits.rate
    redis.call("SET", key, string.format("%.0f", arrival), "PX", math.ceil((arrival - now_us) / 1000))
  end
end
