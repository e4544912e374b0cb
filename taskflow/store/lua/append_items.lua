-- Append items to a stream of a run: "stream" is what the run tells, "input" what it is told.
-- ARGV[7] run id  [8] claim of the run itself, "" when others append  [9] kind: stream, input  [10] the stream's name
-- ARGV[11] 8 characters that name this call, so that repeating it changes nothing  [12] most items  [13] most bytes
-- ARGV[14] most streams of a run  [15] 1 when nothing is to follow  [16...] items, JSON
-- Derives :run:<id>, :stream:<id>:<name>, :input:<id>:<name>, :streams:<id>. An item's entry is its index, from 1.
-- Returns {1, how many items there are} when written (or written before), {2, how many there would be}, {3, bytes} and
--   {4, streams} when too much, {5, 0} when the stream is closed, {0, status} when the claim is over, the run has ended
--   or is unknown ("MISSING").
local OVERHEAD, REMEMBERED = 16, 128 * 8 -- a stream's field: bytes, the claim under which it was closed, last calls
local id, claim, nonce = ARGV[7], ARGV[8], ARGV[11]
local run = redis.call("HMGET", run_key(id), "status", "claim", "finished", "streams")
if not run[1] then
  return { 0, "MISSING", outbox }
end
local name = ARGV[9] .. ":" .. id .. ":" .. ARGV[10]
local key, states = base .. ":" .. name, base .. ":streams:" .. id
local state = redis.call("HGET", states, name)
local bytes, closed, calls = (state or "0 - "):match("^(%d+) (%S+) (.*)$")
local count = redis.call("XLEN", key)
if calls:find(nonce, 1, true) then
  return { 1, count, outbox }
end
if run[3] or (claim ~= "" and run[2] ~= claim) then
  return { 0, run[3] and run[1] or "STALE", outbox }
end
if closed ~= "-" and (claim == "" or tonumber(claim) <= tonumber(closed)) then -- an attempt may reopen what one before closed
  return { 5, 0, outbox }
end
local added = 0
for index = 16, #ARGV do
  added = added + #ARGV[index] + OVERHEAD
end
if count + #ARGV - 15 > tonumber(ARGV[12]) then
  return { 2, count + #ARGV - 15, outbox }
elseif bytes + added > tonumber(ARGV[13]) then
  return { 3, bytes + added, outbox }
elseif not state and redis.call("HLEN", states) >= tonumber(ARGV[14]) then
  return { 4, redis.call("HLEN", states) + 1, outbox }
end
for index = 16, #ARGV do
  count = count + 1
  redis.call("XADD", key, string.format("%d-0", count), "item", ARGV[index])
end
closed = ARGV[15] == "1" and (run[2] or "0") or "-"
redis.call("HSET", states, name, string.format("%d %s ", bytes + added, closed) .. (calls .. nonce):sub(-REMEMBERED))
if not run[4] then
  redis.call("HSET", run_key(id), "streams", "1")
end
redis.call("PUBLISH", key, "")
return { 1, count, outbox }
