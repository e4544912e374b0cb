-- Note how far a bulk action is, and read the runs of its next part.
-- ARGV[7] id of the action  [8] claim  [9] success: of its runs done so far  [10] failure: that could not be
--   [11] size: of a part  [12] lease_ms
-- Derives :bulk:<id>, :bulk:<id>:ids, :bulk_due.
-- Returns {1, ids of the next part}, {0, status} when the action or the claim has ended ("MISSING" for an unknown action).
local key = base .. ":bulk:" .. id
local bulk = fields(key, "status", "claim", "total")
if bulk.claim ~= claim then
  return { 0, bulk.status or "MISSING", outbox }
end
redis.call("HSET", key, "success", success, "failure", failure, "written", now_text)
if bulk.status ~= "PENDING" then
  return { 0, bulk.status, outbox }
end
local done = tonumber(success) + tonumber(failure)
if done >= tonumber(bulk.total) then
  end_bulk(id, "COMPLETED")
  return { 0, "COMPLETED", outbox }
end
hold_bulk(id, tonumber(lease_ms))
return { 1, redis.call("LRANGE", key .. ":ids", done, done + tonumber(size) - 1), outbox }
