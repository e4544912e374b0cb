-- Make a token, once per id and idempotency key.
-- ARGV[7] id of the token  [8] due_text: when it times out, ms, "+<ms>" from now, or ""  [9] tags JSON or ""  [10] digest of
--   the idempotency key or ""  [11] idempotency_key itself or ""  [12] key_ms: how long the key holds, "" as long as the
--   token is remembered  [13] kept_ms: how long the token is remembered when it is done
--   [14] schema: JSON Schema of the value that completes it, or ""
-- Derives :token:<id>, :tokens, :token_key:<digest>.
-- Returns {1, id} when made, {2, id} of the token that has the key.
local key, holder_key = token_key(id), base .. ":token_key:" .. digest
if redis.call("EXISTS", key) == 1 then
  return { 1, id, outbox }
end
local holder = digest ~= "" and redis.call("GET", holder_key)
if holder and redis.call("EXISTS", token_key(holder)) == 1 then
  return { 2, holder, outbox }
end
local values = { "status", "WAITING", "created", now_text, "keep", kept_ms }
for name, value in pairs({ tags = tags, digest = digest, key = idempotency_key, schema = schema }) do
  if value ~= "" then
    values[#values + 1], values[#values + 2] = name, value
  end
end
local due = instant_of(due_text)
if due then
  values[#values + 1], values[#values + 2] = "timeout", string.format("%d", due)
  set_timer("token:" .. id, due)
end
redis.call("HSET", key, unpack(values))
redis.call("ZADD", base .. ":tokens", string.format("%.0f", now_us), id)
if digest ~= "" and key_ms == "" then
  redis.call("SET", holder_key, id)
elseif digest ~= "" and tonumber(key_ms) > 0 then
  redis.call("SET", holder_key, id, "PX", key_ms)
end
return { 1, id, outbox }
