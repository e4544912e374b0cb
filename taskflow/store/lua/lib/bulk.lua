-- What the scripts of bulk actions share: the ids of the runs of one, how long its performer has it, and its end. Derives
-- :bulk:<id>, :bulk:<id>:ids, :bulk_due.
local function write_bulk_ids(id, before, runs)
  local key, CHUNK = base .. ":bulk:" .. id .. ":ids", 1000
  if before == 0 then
    redis.call("DEL", key)
  else
    redis.call("LTRIM", key, 0, before - 1)
  end
  for first = 1, #runs, CHUNK do
    redis.call("RPUSH", key, unpack(runs, first, math.min(first + CHUNK - 1, #runs)))
  end
end

local function hold_bulk(id, lease_ms)
  redis.call("PEXPIRE", base .. ":bulk:" .. id, retention_ms)
  redis.call("PEXPIRE", base .. ":bulk:" .. id .. ":ids", retention_ms)
  redis.call("ZADD", base .. ":bulk_due", string.format("%d", now + lease_ms), id)
end

local function end_bulk(id, status)
  redis.call("HSET", base .. ":bulk:" .. id, "status", status, "written", now_text)
  redis.call("PEXPIRE", base .. ":bulk:" .. id, retention_ms)
  redis.call("DEL", base .. ":bulk:" .. id .. ":ids")
  redis.call("ZREM", base .. ":bulk_due", id)
end
