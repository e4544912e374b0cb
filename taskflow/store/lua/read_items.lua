-- Read a stream of a run from an index on.
-- ARGV[7] run id  [8] kind: stream, input  [9] the stream's name  [10] index, from 0  [11] about how many bytes
-- Derives :run:<id>, :stream:<id>:<name>, :input:<id>:<name>, :streams:<id>.
-- Returns {1, {channel on which more is announced, 1 when nothing will follow these items, item, ...}}, {0, "MISSING"}.
local MOST = 1000
local id = ARGV[7]
local run = redis.call("HMGET", run_key(id), "status", "finished")
if not run[1] then
  return { 0, "MISSING", outbox }
end
local name = ARGV[8] .. ":" .. id .. ":" .. ARGV[9]
local key, first = base .. ":" .. name, tonumber(ARGV[10])
local state = redis.call("HGET", base .. ":streams:" .. id, name)
local bytes, closed = (state or "0 - "):match("^(%d+) (%S+) ")
local count = redis.call("XLEN", key)
local asked = math.max(1, math.min(MOST, math.floor(tonumber(ARGV[11]) * count / math.max(1, bytes))))
local found = { key, 0 }
if count > first then
  for _, entry in ipairs(redis.call("XRANGE", key, string.format("%d-0", first + 1), "+", "COUNT", asked)) do
    found[#found + 1] = entry[2][2]
  end
end
if (run[2] or closed ~= "-") and first + #found - 2 >= count then
  found[2] = 1
end
return { 1, found, outbox }
