-- Delay a run until `due` (ms), and wake upkeep when it is the earliest. Derives :delayed.
local function delay_run(id, due)
  redis.call("ZADD", base .. ":delayed", due, id)
  if redis.call("ZRANGE", base .. ":delayed", 0, 0)[1] == id then
    wake(due)
  end
end
