-- Check an API key, and take one request from its rate.
-- ARGV[7] digest: SHA-256 of the key, "" when its id is given  [8] requests: in a period, when the key has no rate of its own; 0 for no limit
--   [9] period_us  [10] id of the key, for a public token that it has made
-- Derives :api_keys, :api_key:<digest>, :api_key:<digest>:rate.
-- Returns {1, {id, "1" if it may only read, requests, how many of them are left, the instant in ms at which all are there
-- again, 0}}; the same with the ms until the next request, which is the instant as well, when it made too many of them.
-- {0, ""} for an unknown key, {2, id} for an expired one.
local WRITTEN_MS = 60000
local key = api_key_of(digest ~= "" and digest or redis.call("HGET", base .. ":api_keys", id) or "")
local record = fields(key, "id", "expires", "read_only", "requests", "period", "used")
if not record.id then
  return { 0, "", outbox }
end
if record.expires and tonumber(record.expires) <= now then
  return { 2, record.id, outbox }
end
if not record.used or now - tonumber(record.used) >= WRITTEN_MS then
  redis.call("HSET", key, "used", now_text)
end
local rate, period = tonumber(record.requests or requests), tonumber(record.period or period_us)
if rate == 0 then
  return { 1, { record.id, record.read_only or "", 0, 0, 0, 0 }, outbox }
end
local bucket = key .. ":rate"
local wait = bucket_wait(bucket, rate, period)
if wait > 0 then
  local again = string.format("%d", math.ceil((now_us + wait) / 1000))
  return { 1, { record.id, record.read_only or "", rate, 0, again, math.ceil(wait / 1000) }, outbox }
end
local full_at = bucket_take(bucket, rate, period)
local left = math.floor((now_us + period - full_at) * rate / period + 0.001)
return { 1, { record.id, record.read_only or "", rate, left, string.format("%d", math.ceil(full_at / 1000)), 0 }, outbox }
