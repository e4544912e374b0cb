-- Records of webhooks' deliveries. Derives :delivery:<id>, :deliveries.
-- Fields: task, source, status, event, sender_id, headers (JSON), size, digest, received, and for an accepted one run, body
-- (raw, unless it is too large), replays (ids of runs with commas between them), duplicates.
local function delivery_key(id)
  return base .. ":delivery:" .. id
end

-- Write a record from a JSON object of texts, and list it for as long as it is kept.
local function write_delivery(id, kept_ms, record, ...)
  local values = { "received", now_text, ... }
  for name, value in pairs(cjson.decode(record)) do
    values[#values + 1], values[#values + 2] = name, value
  end
  local list = base .. ":deliveries"
  redis.call("HSET", delivery_key(id), unpack(values))
  redis.call("PEXPIRE", delivery_key(id), kept_ms)
  redis.call("ZADD", list, now_us_text, id)
  redis.call("ZREMRANGEBYSCORE", list, "-inf", string.format("%.0f", now_us - tonumber(kept_ms) * 1000))
  redis.call("PEXPIRE", list, kept_ms)
end
