-- List API keys. Forgets those whose record has expired.
-- Derives :api_keys, :api_key:<digest>.
-- Returns {1, {{field, value, ...}, ...}}.
local known, listed = redis.call("HGETALL", base .. ":api_keys"), {}
for place = 1, #known, 2 do
  local record = redis.call("HGETALL", api_key_of(known[place + 1]))
  if #record > 0 then
    listed[#listed + 1] = record
  else
    redis.call("HDEL", base .. ":api_keys", known[place])
  end
end
return { 1, listed, outbox }
