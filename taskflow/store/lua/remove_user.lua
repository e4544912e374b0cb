-- Remove a user of the dashboard. Sessions of the user end, because a session is valid with its user only.
-- ARGV[7] name
-- Derives :users.
-- Returns {1, 1} when this call did it, {0, 0} for an unknown one.
local removed = redis.call("HDEL", base .. ":users", name)
return { removed, removed, outbox }
