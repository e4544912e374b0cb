-- Forget waits of a run that nobody waits for any more, done or not.
-- include: timers
-- ARGV[7] run id  [8] claim  [9...] names of waits
-- Derives :waits:<run>.
-- Returns {1, 1}, {0, status} when the claim is over.
local PART = 1000
local id = ARGV[7]
local run = redis.call("HMGET", run_key(id), "claim", "status")
if run[1] ~= ARGV[8] then
  return { 0, run[2] or "MISSING", outbox }
end
local waits = base .. ":waits:" .. id
for at = 9, #ARGV do
  local name = ARGV[at]
  local items = tonumber(redis.call("HGET", waits, name .. ":items") or "0")
  local fields = { name .. ":left", name .. ":items", name .. ":due" }
  for index = 0, items - 1 do
    fields[#fields + 1] = name .. ":" .. string.format("%d", index)
  end
  for first = 1, #fields, PART do
    redis.call("HDEL", waits, unpack(fields, first, math.min(#fields, first + PART - 1)))
  end
  clear_timer("wait:" .. id .. "\n" .. name)
end
return { 1, 1, outbox }
