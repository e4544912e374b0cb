-- The beginning of every script: the clock of the store, and keys under one hash tag. The server makes a script's
-- closures once, when it loads the library; `begin` sets what changes from call to call.
-- KEYS[1] "{tf:<environment>:<shard>}", from which every other key is built. Derives :run:<id>.
-- ARGV[1] clock in microseconds, "" for the server's own (only tests set it)
-- ARGV[2] prefix of the broker's lists after "+", when scripts push tickets themselves; "" when the caller publishes
-- ARGV[3] environment   ARGV[4] reservation timeout, ms   ARGV[5] retention, ms   ARGV[6] max_lost
-- Every script returns {code, value, outbox}. An entry of the outbox is a ticket that the caller must publish,
-- {run, task, reservation, Celery queue, args}, or {run}: a run that has ended and has a Celery canvas.
local ARGV, base, delivery, environment, reservation_ms, retention_ms, retention_text, max_lost
local now_us, now_us_text, now, now_text -- in microseconds and milliseconds; also as texts, because numbers are slow to write
local outbox, memo -- memo: reads of this call that its parts share

local function begin(keys, args)
  ARGV = args
  base, delivery, environment = keys[1], args[2], args[3]
  reservation_ms, retention_ms, max_lost = tonumber(args[4]), tonumber(args[5]), tonumber(args[6])
  retention_text = args[5]
  now_us_text = args[1]
  if now_us_text == "" then
    local time = redis.call("TIME")
    now_us_text = time[1] .. ("000000"):sub(#time[2] + 1) .. time[2]
  end
  now_text = now_us_text:sub(1, -4)
  now_us, now = tonumber(now_us_text), tonumber(now_text)
  outbox, memo = {}, {}
end

-- Returns the list of all arguments from a place on.
local function arguments_from(first)
  local list = {}
  for place = first, #ARGV do
    list[#list + 1] = ARGV[place]
  end
  return list
end

local function run_key(id)
  return base .. ":run:" .. id
end

-- Returns the instant in ms that an argument names: itself, or "+<ms>" from now; nothing for "".
local function instant_of(text)
  return text:sub(1, 1) == "+" and now + tonumber(text) or tonumber(text)
end
