-- Revoke an API key: it is unknown from now on.
-- ARGV[7] id
-- Derives :api_keys, :api_key:<digest>, :api_key:<digest>:rate.
-- Returns {1, 1} when this call did it, {0, 0} for an unknown one.
local digest = redis.call("HGET", base .. ":api_keys", id)
if not digest then
  return { 0, 0, outbox }
end
local was_there = redis.call("DEL", api_key_of(digest))
redis.call("DEL", api_key_of(digest) .. ":rate")
redis.call("HDEL", base .. ":api_keys", id)
return { was_there, was_there, outbox }
