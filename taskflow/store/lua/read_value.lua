-- Read a value that keep_value kept.
-- ARGV[7] kind  [8] id of the task or group
-- Derives :kept:<kind>:<id>.
-- Returns {1, JSON}, {0, "MISSING"}.
local value = redis.call("GET", base .. ":kept:" .. kind .. ":" .. id)
if not value then
  return { 0, "MISSING", outbox }
end
return { 1, value, outbox }
