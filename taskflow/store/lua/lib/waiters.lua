-- Waiters of a source, which is a run or a token. A waiter is "<run>\n<wait>\n<index>". Derives :waiters:<source>, :run:<id>,
-- :token:<id>, :effects.
local NOTIFIED_AT_ONCE = 100 -- more of them are notified one by one, so that no script holds the store for long

-- Returns how a run or a token has ended, as its waiters get it.
local function end_json(id)
  if id:sub(1, 6) == "token_" then
    local token = fields(token_key(id), "status", "output")
    return '{"status":"' .. (token.status or "MISSING") .. '","output":' .. (token.output or "null") .. "}"
  end
  local run = fields(run_key(id), "status", "output", "error")
  local output, address = run.output or "null", ""
  if output:sub(1, 1) == "@" then -- the address of a large value, which is not JSON
    output, address = "null", ',"at":' .. cjson.encode(output)
  end
  return '{"run":' .. cjson.encode(id) .. ',"status":"' .. (run.status or "MISSING") .. '","output":' .. output
    .. ',"error":' .. (run.error or "null") .. address .. "}"
end

-- Returns true when the waiter is a run of this shard; an effect notifies one of another shard.
local function notify_waiter(source, waiter, value)
  local id, wait, index = waiter:match("^(.*)\n(.-)\n(.*)$") -- the id may hold line breaks
  if redis.call("EXISTS", run_key(id)) == 1 then
    deliver(id, wait, index, value)
    return true
  end
  redis.call("SADD", base .. ":effects", "deliver:" .. source)
end

local function notify_waiters(id)
  local waiters = base .. ":waiters:" .. id
  local value, is_left = end_json(id), redis.call("SCARD", waiters) > NOTIFIED_AT_ONCE
  if is_left then
    redis.call("SADD", base .. ":effects", "deliver:" .. id)
  else
    for _, waiter in ipairs(redis.call("SMEMBERS", waiters)) do
      is_left = not notify_waiter(id, waiter, value) or is_left
    end
  end
  if is_left then
    redis.call("PEXPIRE", waiters, retention_ms)
    wake(now)
  else
    redis.call("DEL", waiters)
  end
end

-- Let a run wait for the end of another, which may have ended already.
local function add_waiter(id, waiter)
  local run = fields(run_key(id), "status", "finished")
  if run.status and not run.finished then
    redis.call("HSET", run_key(id), "waited", 1)
    redis.call("SADD", base .. ":waiters:" .. id, waiter)
  elseif not notify_waiter(id, waiter, end_json(id)) then
    redis.call("SADD", base .. ":waiters:" .. id, waiter)
    redis.call("PEXPIRE", base .. ":waiters:" .. id, retention_ms)
  end
end
