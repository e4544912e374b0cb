-- What every script starts with: the store's own clock and the names under one hash tag. A script is made once, on the
-- server that is to run it; what changes from call to call stands here, and `begin` sets it.
-- KEYS[1] "{tf:<environment>:<shard>}", from which every other key is built.
-- ARGV[1] clock in microseconds, "" for the server's own (only tests set it)
-- ARGV[2] prefix of the broker's lists after "+", when scripts push tickets themselves; "" when the caller publishes
-- ARGV[3] environment   ARGV[4] reservation timeout, ms   ARGV[5] retention, ms   ARGV[6] max_lost
-- Every script returns {code, value, tickets the caller must publish}.
local KEYS, ARGV, base, delivery, environment, reservation_ms, retention_ms, max_lost
local now_us, now_us_text, now, now_text -- the clock in microseconds and milliseconds; texts, for numbers are slow to write
local outbox, memo -- memo: what the parts of this call remember of each other's reads

local function begin(keys, args)
  KEYS, ARGV = keys, args
  base, delivery, environment = keys[1], args[2], args[3]
  reservation_ms, retention_ms, max_lost = tonumber(args[4]), tonumber(args[5]), tonumber(args[6])
  now_us_text = args[1]
  if now_us_text == "" then
    local time = redis.call("TIME")
    now_us_text = time[1] .. ("000000"):sub(#time[2] + 1) .. time[2]
  end
  now_text = now_us_text:sub(1, -4)
  now_us, now = tonumber(now_us_text), tonumber(now_text)
  outbox, memo = {}, {}
end
local made, more -- makes the functions that few calls need, see scripts.py

local function run_key(id)
  return base .. ":run:" .. id
end
