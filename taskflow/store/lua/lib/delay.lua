-- Put a run to sleep until `due` (ms). Upkeep is woken when this is the earliest. Derives :delayed.
local function delay(id, due)
  redis.call("ZADD", base .. ":delayed", due, id)
  if redis.call("ZRANGE", base .. ":delayed", 0, 0)[1] == id then
    wake(due)
  end
end
