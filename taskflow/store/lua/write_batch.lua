-- Keep the outcomes of a batch's items from one index on. The last part closes the batch. A repeated call changes nothing.
-- ARGV[7] id of the batch  [8] index of the part's first item, from 0  [9] ids: run ids joined by spaces, "-" for an item
--   without a run, or "" for a part without items  [10] errors of the part as a JSON list, or ""
--   [11] count: how many items the batch has, when this is its last part, else ""  [12] idempotency_key of the batch or ""
-- Derives :batch:<id>.
-- Returns {1, "OK"}.
local key = base .. ":batch:" .. id
note_batch(id)
redis.call("HSET", key, "written", now)
if ids ~= "" then
  redis.call("HSET", key, "runs:" .. index, ids)
end
if errors ~= "" then
  redis.call("HSET", key, "errors:" .. index, errors)
else
  redis.call("HDEL", key, "errors:" .. index)
end
if count ~= "" then
  redis.call("HSET", key, "count", count)
end
if idempotency_key ~= "" then
  redis.call("HSET", key, "key", idempotency_key)
end
redis.call("PEXPIRE", key, retention_ms)
return { 1, "OK", outbox }
