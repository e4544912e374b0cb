-- Waits of a run. A wait has items, each of which is completed once; it is done when all are. The run's code reads the values.
-- Derives :waits:<run>, :waiters:<source>, :resumed:<run>, :journal:<run>.
-- Fields of :waits:<run>: "<wait>:items", "<wait>:left", "<wait>:due" of a timed one, "<wait>:source" the token that it is
-- for, "<wait>:what" its kind and name, "<wait>:since" when it was opened, "<wait>:<index>" a value, JSON.
local READ_AT_ONCE = 1000 -- a call takes as many arguments as Lua's stack has room for

local function waits_key(id)
  return base .. ":waits:" .. id
end

local function wait_timer(id, wait)
  return "wait:" .. id .. "\n" .. wait
end

local function item_fields(wait, count)
  local names = {}
  for index = 0, count - 1 do
    names[#names + 1] = wait .. ":" .. string.format("%d", index)
  end
  return names
end

local function item_values(id, wait, count)
  local names, values = item_fields(wait, count), {}
  for first = 1, #names, READ_AT_ONCE do
    local last = math.min(#names, first + READ_AT_ONCE - 1)
    for _, value in ipairs(redis.call("HMGET", waits_key(id), unpack(names, first, last))) do
      values[#values + 1] = value
    end
  end
  return values
end

-- Remove a wait from the waiters of its token.
local function leave_source(id, wait, source)
  redis.call("SREM", base .. ":waiters:" .. source, id .. "\n" .. wait .. "\n0")
end

-- Forget a wait, done or not, for which the run's code no longer waits.
local function forget_wait(id, wait)
  local waits = waits_key(id)
  local count, source = unpack(redis.call("HMGET", waits, wait .. ":items", wait .. ":source"))
  local names = item_fields(wait, tonumber(count or "0"))
  for _, name in ipairs({ ":left", ":items", ":due", ":source", ":what", ":since" }) do
    names[#names + 1] = wait .. name
  end
  if source then
    leave_source(id, wait, source)
  end
  for first = 1, #names, READ_AT_ONCE do
    redis.call("HDEL", waits, unpack(names, first, math.min(#names, first + READ_AT_ONCE - 1)))
  end
  clear_timer(wait_timer(id, wait))
end

-- Nobody waits any more: stop the timers of a run's waits and leave their sources.
local function end_waits(id)
  local waits = waits_key(id)
  for _, field in ipairs(redis.call("HKEYS", waits)) do
    local wait, kind = field:match("^(.*):(%a+)$")
    if kind == "due" then
      clear_timer(wait_timer(id, wait))
    elseif kind == "source" then
      leave_source(id, wait, redis.call("HGET", waits, field))
    end
  end
  redis.call("DEL", base .. ":resumed:" .. id)
end

-- Forget all waits of a run and its journal: it has ended, or its code starts anew and opens its own.
local function drop_waits(id)
  end_waits(id)
  redis.call("DEL", waits_key(id), base .. ":journal:" .. id)
end

-- Keep the journal of a run that has ended, with the values of its waits, so that a replay may go on from it.
local function expire_journal(id, ms)
  redis.call("PEXPIRE", waits_key(id), ms)
  redis.call("PEXPIRE", base .. ":journal:" .. id, ms)
end
