-- Count a try to sign in, before its password is looked at. A subject that has used its tries up waits for its pause.
-- ARGV[7] pause_ms: from the first try on  [8...] subjects: the digest of one, and how many tries it has, by turns
-- Derives :sign_in:<digest>.
-- Returns {1, tries that are left}, {2, ms until the next one} for a subject without any.
local subjects, left = arguments_from(8), nil
for place = 1, #subjects, 2 do
  local key, most = tries_key(subjects[place]), tonumber(subjects[place + 1])
  local count = redis.call("INCR", key)
  if count == 1 then
    redis.call("PEXPIRE", key, pause_ms)
  end
  if count > most then
    return { 2, redis.call("PTTL", key), outbox }
  end
  left = math.min(left or most, most - count)
end
return { 1, left, outbox }
