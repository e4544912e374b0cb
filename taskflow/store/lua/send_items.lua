-- Append items to an input stream of a run, and let a wait for one of them go on.
-- include: event push reserve timers queue limits slots pending grant dispatch append
-- more: enqueue waits
-- ARGV[7] run id  [10] name  [15] 1 to close  [16...] items; [8] is "", [9] is input, and all as of append_items
-- Derives :run:<id>: the wait for an item is its field "asked:<name>:<index>".
-- Returns {code, count} as append_items does.
local id, name, is_closing = ARGV[7], ARGV[10], ARGV[15] == "1"
local reply, is_repeated = append()
if reply[1] ~= 1 or is_repeated then
  return reply
end
local function answer(index, value)
  local field = "asked:" .. name .. ":" .. string.format("%d", index)
  local wait = redis.call("HGET", run_key(id), field)
  if wait then
    redis.call("HDEL", run_key(id), field)
    more().deliver(id, wait, "0", value)
  end
  return wait
end
local first = reply[2] - (#ARGV - 15)
for at = 16, #ARGV do
  answer(first + at - 16, string.format('{"index":%d,"item":%s}', first + at - 16, ARGV[at]))
end
local prefix = "asked:" .. name .. ":"
for _, field in ipairs(is_closing and redis.call("HKEYS", run_key(id)) or {}) do
  local index = field:sub(1, #prefix) == prefix and field:sub(#prefix + 1):match("^%d+$")
  if index then
    answer(tonumber(index), '{"closed":true}')
  end
end
return reply
