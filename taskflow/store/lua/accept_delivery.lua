-- Accept a delivery of a webhook: its record and its run, once for each id of the sender. One that came before is counted.
-- ARGV[7] id of the delivery  [8] digest: "<task>:<SHA-256 of the sender's id>"  [9] dedupe_ms: how long the sender's id counts
--   [10] kept_ms: how long the record is kept  [11] record: JSON object of its fields  [12] body: the raw one, or ""
--   [13...] run: the arguments of its run, see lib/make.lua
-- Derives :delivery_key:<task>:<digest>, :delivery:<id>, and what lib/make.lua does.
-- Returns {1, {id, run id}} when accepted, {2, {id, run id or ""}} of the delivery that came before.
local key = base .. ":delivery_key:" .. digest
local known = redis.call("GET", key)
if known then
  local before, run_id = known:match("^(%S+) (%S+)$")
  if before == id then -- the reply to this call was lost
    return { 1, { id, run_id }, outbox }
  end
  if redis.call("EXISTS", delivery_key(before)) == 1 then
    redis.call("HINCRBY", delivery_key(before), "duplicates", 1)
  end
  return { 2, { before, run_id }, outbox }
end
local _, run_id = make_run(13)
redis.call("SET", key, id .. " " .. run_id, "PX", dedupe_ms)
write_delivery(id, kept_ms, record, "run", run_id, "body", body)
return { 1, { id, run_id }, outbox }
