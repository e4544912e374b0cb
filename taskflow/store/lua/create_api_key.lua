-- Keep an API key, once per key.
-- ARGV[7] digest: SHA-256 of the key  [8] id  [9] name  [10] shown: the form of it that people see  [11] expires: instant in
--   ms, "+<ms>" from now, or "" for never  [12] read_only: "1" or ""  [13] requests: in a period, "" for the server's rate
--   [14] period_us or ""  [15] kept_ms: how long an expired key is remembered
-- Derives :api_key:<digest>, :api_keys.
-- Returns {1, the instant of creation, ms}.
local key = api_key_of(digest)
if redis.call("EXISTS", key) == 0 then
  local values = { "id", id, "name", name, "shown", shown, "created", now_text }
  local due = instant_of(expires)
  local optional = { expires = due and string.format("%d", due) or "", read_only = read_only, requests = requests, period = period_us }
  for field, value in pairs(optional) do
    if value ~= "" then
      values[#values + 1], values[#values + 2] = field, value
    end
  end
  redis.call("HSET", key, unpack(values))
  if due then
    redis.call("PEXPIREAT", key, string.format("%d", due + tonumber(kept_ms)))
  end
  redis.call("HSET", base .. ":api_keys", id, digest)
end
return { 1, redis.call("HGET", key, "created"), outbox }
