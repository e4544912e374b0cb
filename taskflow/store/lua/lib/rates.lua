-- Rate limits by GCRA (ITU-T I.371): a bucket of `rate` tokens that fills in `period` microseconds, for each concurrency
-- key. Derives :queue:<queue>:rates:<key>: the instant at which the bucket is full again.
local function rate_key(queue, concurrency_key)
  return queue_key(queue) .. ":rates:" .. concurrency_key
end

-- Returns microseconds until the next start.
local function rate_wait(queue, limits, concurrency_key)
  if not limits.rate then
    return 0
  end
  local arrival = tonumber(redis.call("GET", rate_key(queue, concurrency_key)) or "0")
  if arrival > now_us + limits.period then -- the debt of another rate, declared before
    arrival = now_us + limits.period
    redis.call("SET", rate_key(queue, concurrency_key), string.format("%.0f", arrival), "PX", math.ceil(limits.period / 1000))
  end
  return math.max(0, arrival - (limits.period - limits.period / limits.rate) - now_us)
end

-- Give a token back: the reservation that took it was withdrawn.
local function rate_give_back(queue, limits, concurrency_key)
  local key = rate_key(queue, concurrency_key)
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
    local key = rate_key(queue, concurrency_key)
    local arrival = math.min(now_us + limits.period, math.max(now_us, tonumber(redis.call("GET", key) or "0")))
    arrival = arrival + limits.period / limits.rate
    redis.call("SET", key, string.format("%.0f", arrival), "PX", math.ceil((arrival - now_us) / 1000))
  end
end
