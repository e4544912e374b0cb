-- What runs wait for. A wait has items, each of which is completed once; it is done when all are. Whoever opened it reads
-- the values. Derives :waits:<run>, :waiters:<source>, :token:<id>, :journal:<run>. The source of a wait is a run, or a token.
-- Fields of :waits:<run>: "<wait>:items", "<wait>:left", "<wait>:due" of a timed one, "<wait>:source" the token that it is
-- for, "<wait>:<index>" a value, JSON.
local function waits_key(id)
  return base .. ":waits:" .. id
end

local function wait_timer(id, wait)
  return "wait:" .. id .. "\n" .. wait
end

-- A wait of the run is done: let its code go on, which takes its slot back at its old place first.
local function resume(id)
  local key = run_key(id)
  local run = redis.call("HMGET", key, "status", "queue", "node", "pid", "claim", "ckey", "order", "unloading")
  local queue, node = run[2], run[3]
  if run[1] == "EXECUTING" then
    tell_code(id, node, run[4], run[5])
  elseif run[1] ~= "WAITING" then
    return
  elseif run[8] then -- its code is being left: see unload_run
    redis.call("HSET", key, "ready", 1)
  elseif not node then
    enqueue(id, false)
  elseif is_governed(queue) then
    set_status(id, queue, "WAITING", "QUEUED")
    pend(id, queue, held_class(node), run[6] or "", run[7], false)
    dispatch(queue)
  else
    grant(id, queue, "WAITING")
  end
end

-- Complete an item of a wait, once. What nobody waits for any more is ignored.
local function deliver(id, wait, index, value)
  local waits = waits_key(id)
  if redis.call("HEXISTS", waits, wait .. ":left") == 0 or redis.call("HSETNX", waits, wait .. ":" .. index, value) == 0 then
    return
  end
  if redis.call("HINCRBY", waits, wait .. ":left", -1) == 0 then
    resume(id)
  end
end

-- A waiter is "<run>\n<wait>\n<index>". One on another shard is told by a second operation, see effects.
local function tell_waiter(source, waiter, value)
  local id, wait, index = waiter:match("^(.-)\n(.-)\n(.*)$")
  if redis.call("EXISTS", run_key(id)) == 1 then
    deliver(id, wait, index, value)
    return true
  end
  redis.call("SADD", base .. ":effects", "deliver:" .. source)
end

-- How a run has ended, or a token, as its waiters get it.
local function end_of(id)
  if id:sub(1, 6) == "token_" then
    local token = redis.call("HMGET", base .. ":token:" .. id, "status", "output")
    return '{"status":"' .. (token[1] or "MISSING") .. '","output":' .. (token[2] or "null") .. "}"
  end
  local run = redis.call("HMGET", run_key(id), "status", "output", "error")
  local output, place = run[2] or "null", ""
  if output:sub(1, 1) == "@" then -- the address of a large value, which is no JSON
    output, place = "null", ',"at":' .. cjson.encode(output)
  end
  return '{"run":"' .. id .. '","status":"' .. (run[1] or "MISSING") .. '","output":' .. output
    .. ',"error":' .. (run[3] or "null") .. place .. "}"
end

local TOLD_AT_ONCE = 100 -- more of them are told one by one: no script holds the store for long

local function tell_waiters(id)
  local waiters = base .. ":waiters:" .. id
  local value, is_left = end_of(id), redis.call("SCARD", waiters) > TOLD_AT_ONCE
  if is_left then
    redis.call("SADD", base .. ":effects", "deliver:" .. id)
  else
    for _, waiter in ipairs(redis.call("SMEMBERS", waiters)) do
      is_left = not tell_waiter(id, waiter, value) or is_left
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
  local found = redis.call("HMGET", run_key(id), "status", "finished")
  if found[1] and not found[2] then
    redis.call("HSET", run_key(id), "waited", 1)
    redis.call("SADD", base .. ":waiters:" .. id, waiter)
  elseif not tell_waiter(id, waiter, end_of(id)) then
    redis.call("SADD", base .. ":waiters:" .. id, waiter)
    redis.call("PEXPIRE", base .. ":waiters:" .. id, retention_ms)
  end
end

local FIELDS = 1000 -- a call takes no more arguments than Lua's stack has room for

local function item_fields(wait, count)
  local fields = {}
  for index = 0, count - 1 do
    fields[#fields + 1] = wait .. ":" .. string.format("%d", index)
  end
  return fields
end

-- A token need not tell a wait that is over.
local function leave_source(id, wait, source)
  redis.call("SREM", base .. ":waiters:" .. source, id .. "\n" .. wait .. "\n0")
end

-- Nobody waits for it any more, be it done or not.
local function forget_wait(id, wait)
  local waits = waits_key(id)
  local found = redis.call("HMGET", waits, wait .. ":items", wait .. ":source")
  local fields = item_fields(wait, tonumber(found[1] or "0"))
  for _, name in ipairs({ ":left", ":items", ":due", ":source" }) do
    fields[#fields + 1] = wait .. name
  end
  if found[2] then
    leave_source(id, wait, found[2])
  end
  for first = 1, #fields, FIELDS do
    redis.call("HDEL", waits, unpack(fields, first, math.min(#fields, first + FIELDS - 1)))
  end
  clear_timer(wait_timer(id, wait))
end

local function item_values(id, wait, count)
  local fields, values = item_fields(wait, count), {}
  for first = 1, #fields, FIELDS do
    for _, value in ipairs(redis.call("HMGET", waits_key(id), unpack(fields, first, math.min(#fields, first + FIELDS - 1)))) do
      values[#values + 1] = value
    end
  end
  return values
end

-- What a durable run has done, by the keys of its calls. It outlives attempts and goes with the run's waits.
local function write_journal(id, entries)
  for key, entry in pairs(entries) do
    redis.call("HSET", base .. ":journal:" .. id, key, entry)
    local kind, label = entry:match("^(%a)[^\n]-\t([^\n]*)")
    if kind == "s" then
      event(id, "step", cjson.encode({ key = key, name = label }))
    end
  end
  redis.call("HSET", run_key(id), "waits", 1, "durable", 1)
end

-- Forget the waits of a run: it has ended, or its code starts anew and opens its own.
local function drop_waits(id)
  local waits = waits_key(id)
  for _, field in ipairs(redis.call("HKEYS", waits)) do
    local wait, kind = field:match("^(.*):(%a+)$")
    if kind == "due" then
      clear_timer(wait_timer(id, wait))
    elseif kind == "source" then
      leave_source(id, wait, redis.call("HGET", waits, field))
    end
  end
  redis.call("DEL", waits, base .. ":resumed:" .. id, base .. ":journal:" .. id)
end

-- The run's own code says how its attempt has ended although it was about to wait: it waits no more.
local function stop_waiting(id, run)
  if run.status == "QUEUED" then
    local held = redis.call("HGET", run_key(id), "ckey")
    unpend(id, run.queue, held_class(run.node), held or "")
  end
  redis.call("HDEL", run_key(id), "parked")
  set_status(id, run.queue, run.status, "EXECUTING")
  run.status = "EXECUTING"
end

-- A durable run waits without a process from now on. Derives :node:<node>:runs.
local function unload(id, run)
  local key = run_key(id)
  redis.call("HDEL", base .. ":node:" .. run.node .. ":runs", id)
  local is_ready = redis.call("HGET", key, "ready") or run.status == "QUEUED"
  if run.status == "QUEUED" then
    unpend(id, run.queue, held_class(run.node), redis.call("HGET", key, "ckey") or "")
  end
  redis.call("HDEL", key, "node", "pid", "nonce", "unloading", "ready")
  redis.call("DEL", base .. ":resumed:" .. id)
  if is_ready then
    enqueue(id, false)
  end
end
