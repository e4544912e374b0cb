-- Open a session of a user of the dashboard, and forget the tries to sign in.
-- ARGV[7] digest: SHA-256 of the session's secret  [8] name  [9] stamp: of the password that was given  [10] life_ms
--   [11...] digests of subjects whose tries are forgotten
-- Derives :session:<digest>, :sign_in:<digest>.
-- Returns {1, 1}.
local key = session_key(digest)
redis.call("HSET", key, "name", name, "stamp", stamp)
redis.call("PEXPIRE", key, life_ms)
for _, subject in ipairs(arguments_from(11)) do
  redis.call("DEL", tries_key(subject))
end
return { 1, 1, outbox }
