-- Read the users of the dashboard.
-- ARGV[7] name: "" for all
-- Derives :users.
-- Returns {1, {name, document, ...}}.
local key = base .. ":users"
if name == "" then
  return { 1, redis.call("HGETALL", key), outbox }
end
local document = redis.call("HGET", key, name)
return { 1, document and { name, document } or {}, outbox }
