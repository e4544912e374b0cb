-- Write the ids of the runs that a bulk action's search has found. The last call makes their number known.
-- ARGV[7] id of the action  [8] claim  [9] before: how many ids earlier calls wrote  [10] is_last: "1" or ""  [11] lease_ms
--   [12...] runs: their ids
-- Derives :bulk:<id>, :bulk:<id>:ids, :bulk_due.
-- Returns {1, ""}, {0, status} when the claim or the action has ended ("MISSING" for an unknown one).
local key = base .. ":bulk:" .. id
local bulk = fields(key, "status", "claim")
if bulk.status ~= "PENDING" or bulk.claim ~= claim then
  return { 0, bulk.status or "MISSING", outbox }
end
write_bulk_ids(id, tonumber(before), runs)
if is_last == "1" then
  redis.call("HSET", key, "total", tonumber(before) + #runs)
end
hold_bulk(id, tonumber(lease_ms))
return { 1, "", outbox }
