-- Let a wait of a run be done by an item of one of its input streams: at once when that is there.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- more: enqueue waits
-- ARGV[7] run id  [8] the stream's name  [9] index of the item, from 0  [10] wait, which has one item
-- Derives :run:<id>: the wait for an item is its field "asked:<name>:<index>"; :input:<id>:<name>, :streams:<id>.
-- Returns {1, 1}. The wait's value is {"index", "item"}, or {"closed": true} when no such item will come.
local id, index, wait = ARGV[7], tonumber(ARGV[9]), ARGV[10]
local name = "input:" .. id .. ":" .. ARGV[8]
local place = string.format("%d-0", index + 1)
local entry = redis.call("XRANGE", base .. ":" .. name, place, place)[1]
local state = redis.call("HGET", base .. ":streams:" .. id, name)
if entry then
  more().deliver(id, wait, "0", string.format('{"index":%d,"item":%s}', index, entry[2][2]))
elseif redis.call("HEXISTS", base .. ":waits:" .. id, wait .. ":left") == 0 then
  return { 1, 1, outbox } -- the run has ended, or its code is another's by now
elseif state and state:match("^%d+ (%S+)") ~= "-" then
  more().deliver(id, wait, "0", '{"closed":true}')
else
  redis.call("HSET", run_key(id), "asked:" .. ARGV[8] .. ":" .. string.format("%d", index), wait)
end
return { 1, 1, outbox }
