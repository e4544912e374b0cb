-- Read one bulk action, or all that are remembered, newest first. Forgets those whose record has expired.
-- ARGV[7] id of the action, "" for all  [8] abort: "1" to end the action, unless it has ended
-- Derives :bulk:<id>, :bulk:<id>:ids, :bulk_actions, :bulk_due.
-- Returns {1, {{id, field, value, ...}, ...}}.
local ids = id ~= "" and { id } or redis.call("ZREVRANGE", base .. ":bulk_actions", 0, -1)
local found = {}
for _, each in ipairs(ids) do
  local key = base .. ":bulk:" .. each
  if redis.call("EXISTS", key) == 0 then
    redis.call("ZREM", base .. ":bulk_actions", each)
  else
    if abort == "1" and redis.call("HGET", key, "status") == "PENDING" then
      end_bulk(each, "ABORTED")
    end
    found[#found + 1] = { each, unpack(redis.call("HGETALL", key)) }
  end
end
return { 1, found, outbox }
