-- Claim a bulk action that has no performer: the process that had it has not written in its lease.
-- ARGV[7] lease_ms  [8] search_ms: the lease of an action whose runs must be searched first
-- Derives :bulk:<id>, :bulk:<id>:ids, :bulk_due.
-- Returns {1, {id, field, value, ...}}, {0, ""} when there is none.
local due = base .. ":bulk_due"
for _ = 1, 100 do
  local id = redis.call("ZRANGEBYSCORE", due, "-inf", now_text, "LIMIT", 0, 1)[1]
  if not id then
    break
  end
  local key = base .. ":bulk:" .. id
  if redis.call("EXISTS", key) == 1 then
    local is_searched = redis.call("HGET", key, "total") ~= ""
    redis.call("HINCRBY", key, "claim", 1)
    hold_bulk(id, tonumber(is_searched and lease_ms or search_ms))
    return { 1, { id, unpack(redis.call("HGETALL", key)) }, outbox }
  end
  redis.call("ZREM", due, id)
end
return { 0, "", outbox }
