-- The list of batches, for people. Derives :batches, :batch:<id>.
local function note_batch(id)
  if redis.call("HSETNX", base .. ":batch:" .. id, "created", now) == 0 then
    return
  end
  redis.call("ZADD", base .. ":batches", now, id)
  redis.call("ZREMRANGEBYSCORE", base .. ":batches", "-inf", now - retention_ms)
  redis.call("PEXPIRE", base .. ":batches", retention_ms)
end
