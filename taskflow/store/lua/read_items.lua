-- Read a stream of a run from an index on.
-- ARGV[7] id of the run  [8] kind: stream, input  [9] stream: its name  [10] index, from 0  [11] size: about how many bytes
-- Derives :run:<id>, :stream:<id>:<name>, :input:<id>:<name>, :streams:<id>.
-- Returns {1, {channel on which more is announced, 1 when nothing will follow these items, how many there are, item, ...}},
--   {0, "MISSING"}.
local MOST = 1000
local run = fields(run_key(id), "status", "finished")
if not run.status then
  return { 0, "MISSING", outbox }
end
local name = kind .. ":" .. id .. ":" .. stream
local key, first = base .. ":" .. name, tonumber(index)
local state = redis.call("HGET", base .. ":streams:" .. id, name)
local bytes, closed = (state or "0 - "):match("^(%d+) (%S+) ")
local count = redis.call("XLEN", key)
local most = math.max(1, math.min(MOST, math.floor(tonumber(size) * count / math.max(1, bytes))))
local page = { key, 0, count }
if count > first then
  for _, entry in ipairs(redis.call("XRANGE", key, string.format("%d-0", first + 1), "+", "COUNT", most)) do
    page[#page + 1] = entry[2][2]
  end
end
if (run.finished or closed ~= "-") and first + #page - 3 >= count then
  page[2] = 1
end
return { 1, page, outbox }
