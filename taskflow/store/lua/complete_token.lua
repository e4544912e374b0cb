-- Complete a token, once. What waits for it goes on.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- more: enqueue waits tokens
-- ARGV[7] token id  [8] its output, JSON  [9] nonce of this call: a repeated call (its reply was lost) is told the same
-- Derives :token:<id>.
-- Returns {1, "COMPLETED"} when this call did, {2, status} when it was done before, {0, "MISSING"}.
local token = redis.call("HMGET", base .. ":token:" .. ARGV[7], "status", "nonce")
if not token[1] then
  return { 0, "MISSING", outbox }
end
if token[1] ~= "WAITING" then
  return { token[2] == ARGV[9] and 1 or 2, token[1], outbox }
end
more().end_token(ARGV[7], "COMPLETED", "output", ARGV[8], "nonce", ARGV[9])
return { 1, "COMPLETED", outbox }
