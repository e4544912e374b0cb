-- Keep a user of the dashboard.
-- ARGV[7] name  [8] mode: "add" refuses a name that is there, "change" one that is not, "first" any but the first user
--   [9] document: JSON with role, password (its hash) and stamp
-- Derives :users.
-- Returns {1, 1} when this call wrote it, {0, 0} otherwise.
local key = base .. ":users"
local is_there = redis.call("HEXISTS", key, name) == 1
if (mode == "add" and is_there) or (mode == "change" and not is_there) or (mode == "first" and redis.call("EXISTS", key) == 1) then
  return { 0, 0, outbox }
end
redis.call("HSET", key, name, document)
return { 1, 1, outbox }
