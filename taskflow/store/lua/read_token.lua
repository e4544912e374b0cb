-- Read a token.
-- ARGV[7] id of the token
-- Derives :token:<id>.
-- Returns {1, {field, value, ...}}, {0, "MISSING"}.
local record = redis.call("HGETALL", token_key(id))
if #record == 0 then
  return { 0, "MISSING", outbox }
end
return { 1, record, outbox }
