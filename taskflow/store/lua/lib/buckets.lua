-- Buckets by GCRA (ITU-T I.371): one of `rate` tokens fills in `period` microseconds. The key of a bucket holds the
-- instant at which it is full again, and lives until then.
local function keep_bucket(key, full_at)
  redis.call("SET", key, string.format("%.0f", full_at), "PX", math.ceil((full_at - now_us) / 1000))
end

-- Returns microseconds until the next token.
local function bucket_wait(key, rate, period)
  local full_at = tonumber(redis.call("GET", key) or "0")
  if full_at > now_us + period then -- the debt of another rate, declared before
    full_at = now_us + period
    keep_bucket(key, full_at)
  end
  return math.max(0, full_at - (period - period / rate) - now_us)
end

-- Returns the instant at which the bucket is full again.
local function bucket_take(key, rate, period)
  local full_at = math.min(now_us + period, math.max(now_us, tonumber(redis.call("GET", key) or "0"))) + period / rate
  keep_bucket(key, full_at)
  return full_at
end

-- Give a token back.
local function bucket_give_back(key, rate, period)
  local full_at = tonumber(redis.call("GET", key))
  if full_at and full_at - period / rate > now_us then
    keep_bucket(key, full_at - period / rate)
  elseif full_at then
    redis.call("DEL", key)
  end
end
