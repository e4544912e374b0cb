-- Rate limits of queues: a bucket for each concurrency key. Derives :queue:<queue>:rates:<key>: the instant at which the
-- bucket is full again.
local function rate_key(queue, concurrency_key)
  return queue_key(queue) .. ":rates:" .. concurrency_key
end

-- Returns microseconds until the next start.
local function rate_wait(queue, limits, concurrency_key)
  return limits.rate and bucket_wait(rate_key(queue, concurrency_key), limits.rate, limits.period) or 0
end

-- Give a token back: the reservation that took it was withdrawn.
local function rate_give_back(queue, limits, concurrency_key)
  if limits.rate then
    bucket_give_back(rate_key(queue, concurrency_key), limits.rate, limits.period)
  end
end

local function rate_take(queue, limits, concurrency_key)
  if limits.rate then
    bucket_take(rate_key(queue, concurrency_key), limits.rate, limits.period)
  end
end
