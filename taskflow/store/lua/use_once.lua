-- Use something that may be used once, or give an unused use back.
-- ARGV[7] digest of what is used  [8] use: a text that a repeat of the same use has, too  [9] ms for which it is
--   remembered, "0" to give it back
-- Derives :used:<digest>.
-- Returns {1, ""} when this use has it from now on, {2, ""} when it had it before, {0, ""} when another one has it.
local key = base .. ":used:" .. digest
local user = redis.call("GET", key)
if user and user ~= use then
  return { 0, "", outbox }
end
if ms == "0" then
  redis.call("DEL", key)
elseif not user then
  redis.call("SET", key, use, "PX", ms)
end
return { user and 2 or 1, "", outbox }
