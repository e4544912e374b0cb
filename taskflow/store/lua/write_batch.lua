-- Keep what the items of a batch from one place on became. The last part closes it. A repeated call changes nothing.
-- ARGV[7] batch id  [8] place of the part's first item, from 0  [9] run ids joined by spaces, "-" for an item without
--   run, or "" for a part without items  [10] errors of the part as a JSON list, or ""
--   [11] how many items the batch has, when this is its last part, else ""  [12] the batch's idempotency key or ""
-- Derives :batch:<id>.
-- Returns {1, "OK"}.
local key = base .. ":batch:" .. ARGV[7]
redis.call("HSETNX", key, "created", now)
redis.call("HSET", key, "written", now)
if ARGV[9] ~= "" then
  redis.call("HSET", key, "runs:" .. ARGV[8], ARGV[9])
end
if ARGV[10] ~= "" then
  redis.call("HSET", key, "errors:" .. ARGV[8], ARGV[10])
else
  redis.call("HDEL", key, "errors:" .. ARGV[8])
end
if ARGV[11] ~= "" then
  redis.call("HSET", key, "count", ARGV[11])
end
if ARGV[12] ~= "" then
  redis.call("HSET", key, "key", ARGV[12])
end
redis.call("PEXPIRE", key, retention_ms)
return { 1, "OK", outbox }
