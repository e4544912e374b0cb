-- Count a member of a chord that has ended, once per member.
-- ARGV[7] group_id  [8] task_id of the member, "" to give the size only  [9] part of the member, JSON
--   [10] size, "" when unknown here  [11] kept_ms: how long the parts stay after the chord's last call
-- Derives :chord:<group>: "size", "done", and a field "part:<task id>" each.
-- Returns {1, parts} while all have ended and the body was not applied yet, also for a repeated call; else {0, how many have}.
local key = base .. ":chord:" .. group_id
if redis.call("HEXISTS", key, "done") == 1 then
  return { 0, 0, outbox }
end
if size ~= "" then
  redis.call("HSET", key, "size", size)
end
if task_id ~= "" then
  redis.call("HSETNX", key, "part:" .. task_id, part)
end
redis.call("PEXPIRE", key, kept_ms)
local members = tonumber(redis.call("HGET", key, "size"))
local ended = redis.call("HLEN", key) - (members and 1 or 0)
if task_id == "" or not members or ended < members then
  return { 0, ended, outbox }
end
local parts = {}
local chord = redis.call("HGETALL", key)
for index = 1, #chord, 2 do
  if chord[index]:sub(1, 5) == "part:" then
    parts[#parts + 1] = chord[index + 1]
  end
end
return { 1, parts, outbox }
