-- Make the record of a batch whose items come in later calls, once.
-- ARGV[7] id of the batch  [8] expected: how many items it is to have  [9] idempotency_key of the batch, for people, or ""
--   [10] key_text: the key from which those of its items follow, or ""
-- Derives :batch:<id>.
-- Returns {1, how many items it is to have}, {2, the same} when all of them are there.
local key = base .. ":batch:" .. id
local batch = fields(key, "expected", "count")
if batch.count then
  return { 2, tonumber(batch.count), outbox }
end
if batch.expected then
  return { 1, tonumber(batch.expected), outbox }
end
note_batch(id)
redis.call("HSET", key, "written", now, "expected", expected)
if idempotency_key ~= "" then
  redis.call("HSET", key, "key", idempotency_key, "key_text", key_text)
end
redis.call("PEXPIRE", key, retention_ms)
return { 1, tonumber(expected), outbox }
