-- Count a member of a chord that ended, once per member, and tell when it was the last.
-- ARGV[7] group id  [8] member's task id, "" to tell the size only  [9] its part, JSON  [10] size, "" when unknown here
--   [11] how long the parts are kept after the last news of the chord, ms
-- Derives :chord:<group>: "size", "done", and a field "part:<task id>" each.
-- Returns {1, parts} when all have ended and the body was not applied yet, however often it is asked; {0, how many have}.
local key = base .. ":chord:" .. ARGV[7]
if redis.call("HEXISTS", key, "done") == 1 then
  return { 0, 0, outbox }
end
if ARGV[10] ~= "" then
  redis.call("HSET", key, "size", ARGV[10])
end
if ARGV[8] ~= "" then
  redis.call("HSETNX", key, "part:" .. ARGV[8], ARGV[9])
end
redis.call("PEXPIRE", key, ARGV[11])
local size = tonumber(redis.call("HGET", key, "size"))
local ended = redis.call("HLEN", key) - (size and 1 or 0)
if ARGV[8] == "" or not size or ended < size then
  return { 0, ended, outbox }
end
local parts = {}
local fields = redis.call("HGETALL", key)
for index = 1, #fields, 2 do
  if fields[index]:sub(1, 5) == "part:" then
    parts[#parts + 1] = fields[index + 1]
  end
end
return { 1, parts, outbox }
