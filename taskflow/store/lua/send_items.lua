-- Append items to an input stream of a run, and complete the waits for them.
-- ARGV[7] id of the run  [8] claim: ""  [9] kind: input  [10] name of the stream
--   [11] nonce of this call, 8 characters, so that a repeated call changes nothing  [12] most_items  [13] most_bytes
--   [14] most_streams of a run  [15] is_last: 1 when nothing is to follow  [16...] items, JSON
-- Derives :run:<id>: the wait for an item is its field "asked:<name>:<index>"; and what append_items derives.
-- Returns {code, count} as append_items does.
local reply, is_repeated = append({
  id = id, claim = claim, kind = kind, name = name, nonce = nonce, most_items = most_items, most_bytes = most_bytes,
  most_streams = most_streams, is_last = is_last == "1", items = items,
})
if reply[1] ~= 1 or is_repeated then
  return reply
end
local prefix = "asked:" .. name .. ":"

local function answer(index, value)
  local field = prefix .. string.format("%d", index)
  local wait = redis.call("HGET", run_key(id), field)
  if wait then
    redis.call("HDEL", run_key(id), field)
    deliver(id, wait, "0", value)
  end
end
local first = reply[2] - #items
for offset, item in ipairs(items) do
  local index = first + offset - 1
  answer(index, string.format('{"index":%d,"item":%s}', index, item))
end
for _, field in ipairs(is_last == "1" and redis.call("HKEYS", run_key(id)) or {}) do
  local index = field:sub(1, #prefix) == prefix and field:sub(#prefix + 1):match("^%d+$")
  if index then
    answer(tonumber(index), '{"closed":true}')
  end
end
return reply
