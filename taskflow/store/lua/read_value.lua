-- Read what keep_value kept.
-- ARGV[7] kind  [8] task or group id
-- Derives :kept:<kind>:<id>.
-- Returns {1, JSON}, {0, "MISSING"}.
local found = redis.call("GET", base .. ":kept:" .. ARGV[7] .. ":" .. ARGV[8])
if not found then
  return { 0, "MISSING", outbox }
end
return { 1, found, outbox }
