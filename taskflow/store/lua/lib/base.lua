-- What every script starts with: the store's own clock and the names under one hash tag.
-- KEYS[1] "{tf:<environment>:<shard>}", from which every other key is built.
-- ARGV[1] clock in microseconds, "" for the server's own (only tests set it)
-- ARGV[2] prefix of the broker's lists after "+", when scripts push tickets themselves; "" when the caller publishes
-- ARGV[3] environment   ARGV[4] reservation timeout, ms   ARGV[5] retention, ms   ARGV[6] max_lost
-- Every script returns {code, value, tickets the caller must publish}.
local base = KEYS[1]
local delivery, environment = ARGV[2], ARGV[3]
local reservation_ms, retention_ms, max_lost = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local now_us = tonumber(ARGV[1])
if not now_us then
  local time = redis.call("TIME")
  now_us = time[1] * 1000000 + time[2]
end
local now = math.floor(now_us / 1000)
local now_text = string.format("%d", now)
local outbox = {}
local made, more -- makes the functions that few calls need, see scripts.py

local function run_key(id)
  return base .. ":run:" .. id
end
