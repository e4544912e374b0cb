-- Append items to a stream of a run. Derives :run:<id>, :stream:<run>:<name>, :input:<run>:<name>, :streams:<run>, :events.
-- A stream's state, its field in :streams:<run>: bytes, the claim under which it was closed or "-", nonces of the last calls.
local OVERHEAD, REMEMBERED = 16, 128 * 8

-- `call` has the arguments of append_items by name. Returns the reply of append_items, and true for a repeated call.
local function append(call)
  local id, claim, items = call.id, call.claim, call.items
  local run = fields(run_key(id), "status", "claim", "finished", "streams", "granted")
  if not run.status then
    return { 0, "MISSING", outbox }
  end
  local name = call.kind .. ":" .. id .. ":" .. call.name
  local key, states = base .. ":" .. name, base .. ":streams:" .. id
  local state = redis.call("HGET", states, name)
  local bytes, closed, nonces = (state or "0 - "):match("^(%d+) (%S+) (.*)$")
  local count = redis.call("XLEN", key)
  if nonces:find(call.nonce, 1, true) then
    return { 1, count, outbox }, true
  end
  if run.finished or (claim ~= "" and not is_own_claim(run, claim)) then
    return { 0, run.finished and run.status or "STALE", outbox }
  end
  if closed ~= "-" and (claim == "" or tonumber(claim) <= tonumber(closed)) then -- a later attempt may reopen a stream
    return { 5, 0, outbox }
  end
  local added = 0
  for _, item in ipairs(items) do
    added = added + #item + OVERHEAD
  end
  if count + #items > tonumber(call.most_items) then
    return { 2, count + #items, outbox }
  elseif bytes + added > tonumber(call.most_bytes) then
    return { 3, bytes + added, outbox }
  elseif not state and redis.call("HLEN", states) >= tonumber(call.most_streams) then
    return { 4, redis.call("HLEN", states) + 1, outbox }
  end
  for _, item in ipairs(items) do
    count = count + 1
    redis.call("XADD", key, string.format("%d-0", count), "item", item)
  end
  closed = call.is_last and (run.claim or "0") or "-"
  redis.call("HSET", states, name, string.format("%d %s ", bytes + added, closed) .. (nonces .. call.nonce):sub(-REMEMBERED))
  if call.kind == "stream" and count == #items and count > 0 then -- its first items
    event(id, "stream", call.name)
  end
  if not run.streams then
    redis.call("HSET", run_key(id), "streams", "1")
  end
  redis.call("PUBLISH", key, "")
  return { 1, count, outbox }
end
