-- Read a token.
-- ARGV[7] token id
-- Derives :token:<id>.
-- Returns {1, {field, value, ...}}, {0, "MISSING"}.
local fields = redis.call("HGETALL", base .. ":token:" .. ARGV[7])
return { #fields > 0 and 1 or 0, #fields > 0 and fields or "MISSING", outbox }
