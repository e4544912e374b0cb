-- Check a session, and prolong its life. It has ended when its user is gone or has another password.
-- ARGV[7] digest: SHA-256 of the session's secret  [8] life_ms: 0 leaves it as it is
-- Derives :session:<digest>, :users.
-- Returns {1, {name, document}}, {0, ""} for a session that is none.
local session = fields(session_key(digest), "name", "stamp")
if not session.name then
  return { 0, "", outbox }
end
local document = redis.call("HGET", base .. ":users", session.name)
if not document or cjson.decode(document).stamp ~= session.stamp then
  redis.call("DEL", session_key(digest))
  return { 0, "", outbox }
end
if life_ms ~= "0" then
  redis.call("PEXPIRE", session_key(digest), life_ms)
end
return { 1, { session.name, document }, outbox }
