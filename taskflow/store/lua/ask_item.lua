-- Let an item of an input stream complete a wait of the run: at once when the item is there.
-- ARGV[7] id of the run  [8] stream: its name  [9] index of the item, from 0  [10] wait, which has one item
-- Derives :run:<id>: the wait for an item is its field "asked:<name>:<index>"; :input:<id>:<name>, :streams:<id>.
-- Returns {1, 1}. The wait's value is {"index", "item"}, or {"closed": true} when such an item will not come.
local name = "input:" .. id .. ":" .. stream
local entry_id = string.format("%d-0", tonumber(index) + 1)
local entry = redis.call("XRANGE", base .. ":" .. name, entry_id, entry_id)[1]
local state = redis.call("HGET", base .. ":streams:" .. id, name)
if entry then
  deliver(id, wait, "0", string.format('{"index":%d,"item":%s}', tonumber(index), entry[2][2]))
elseif redis.call("HEXISTS", waits_key(id), wait .. ":left") == 0 then
  return { 1, 1, outbox } -- the run has ended, or other code executes it by now
elseif state and state:match("^%d+ (%S+)") ~= "-" then
  deliver(id, wait, "0", '{"closed":true}')
else
  redis.call("HSET", run_key(id), "asked:" .. stream .. ":" .. string.format("%d", tonumber(index)), wait)
end
return { 1, 1, outbox }
