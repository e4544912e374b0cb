-- Append items to a stream of a run. Arguments and what is returned: append_items. Derives :stream:<run>:<name>,
-- :input:<run>:<name>, :streams:<run>. The second value is true when the call is a repeated one.
local OVERHEAD, REMEMBERED = 16, 128 * 8 -- a stream's field: bytes, the claim under which it was closed, last calls

local function append()
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
    return { 1, count, outbox }, true
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
end
