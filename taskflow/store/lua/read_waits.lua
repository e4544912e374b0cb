-- Read which of a run's waits are done, with the values of their items.
-- ARGV[7] run id  [8] 1 to forget those that are done  [9...] names of waits
-- Derives :run:<id>, :waits:<run>.
-- Returns {1, {status, claim, {name, {values in the order of the items, JSON}}, ...}}, {0, "MISSING"}.
local PART = 1000
local id = ARGV[7]
local waits = base .. ":waits:" .. id
local run = redis.call("HMGET", run_key(id), "status", "claim")
if not run[1] then
  return { 0, "MISSING", outbox }
end
local found = { run[1], run[2] }
for at = 9, #ARGV do
  local name = ARGV[at]
  local wait = redis.call("HMGET", waits, name .. ":left", name .. ":items")
  if wait[1] == "0" then
    local values, fields = {}, {}
    for index = 0, tonumber(wait[2]) - 1 do
      fields[#fields + 1] = name .. ":" .. string.format("%d", index)
    end
    for first = 1, #fields, PART do
      local part = { unpack(fields, first, math.min(#fields, first + PART - 1)) }
      for _, value in ipairs(redis.call("HMGET", waits, unpack(part))) do
        values[#values + 1] = value
      end
      if ARGV[8] == "1" then
        redis.call("HDEL", waits, unpack(part))
      end
    end
    if ARGV[8] == "1" then
      redis.call("HDEL", waits, name .. ":left", name .. ":items", name .. ":due")
    end
    found[#found + 1] = { name, values }
  end
end
return { 1, found, outbox }
