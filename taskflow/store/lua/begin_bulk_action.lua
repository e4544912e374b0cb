-- Make the record of a bulk action with all that a process needs to perform it. Its maker has the first claim.
-- ARGV[7] id of the action  [8] kind: "cancel" or "replay"  [9] name: for people, or ""  [10] by: who began it
--   [11] filters: JSON of filters, "" when the runs are given  [12] lease_ms: time in which its performer writes again
--   [13...] runs: their ids
-- Derives :bulk:<id>, :bulk:<id>:ids, :bulk_actions, :bulk_due.
-- Returns {1, 1} when this call made it, {2, 0} when it is known.
local key = base .. ":bulk:" .. id
if redis.call("EXISTS", key) == 1 then
  return { 2, 0, outbox }
end
local total = filters == "" and #runs or ""
redis.call("HSET", key, "kind", kind, "name", name, "by", by, "filters", filters, "created", now_text, "written", now_text)
redis.call("HSET", key, "total", total, "success", 0, "failure", 0, "status", "PENDING", "claim", 1)
write_bulk_ids(id, 0, runs)
redis.call("ZADD", base .. ":bulk_actions", now_us_text, id)
hold_bulk(id, tonumber(lease_ms))
return { 1, 1, outbox }
