-- Make a token, once per id and idempotency key.
-- include: timers
-- ARGV[7] token id  [8] when it times out: ms, "+<ms>" from now, or ""  [9] tags JSON or ""  [10] digest of the idempotency
--   key or ""  [11] the key itself or ""  [12] how long the key holds, ms; "" as long as the token is remembered
--   [13] how long the token is remembered when it is done, ms
-- Derives :token:<id>, :tokens, :token_key:<digest>.
-- Returns {1, id} when made, {2, id} of the token that has the key.
local id, due, digest = ARGV[7], ARGV[8], ARGV[10]
local key, holder = base .. ":token:" .. id, base .. ":token_key:" .. digest
if redis.call("EXISTS", key) == 1 then
  return { 1, id, outbox }
end
local known = digest ~= "" and redis.call("GET", holder)
if known and redis.call("EXISTS", base .. ":token:" .. known) == 1 then
  return { 2, known, outbox }
end
local fields = { "status", "WAITING", "created", now_text, "keep", ARGV[13] }
for name, value in pairs({ tags = ARGV[9], digest = digest, key = ARGV[11] }) do
  if value ~= "" then
    fields[#fields + 1], fields[#fields + 2] = name, value
  end
end
if due ~= "" then
  due = due:sub(1, 1) == "+" and now + tonumber(due) or tonumber(due)
  fields[#fields + 1], fields[#fields + 2] = "timeout", string.format("%d", due)
  set_timer("token:" .. id, due)
end
redis.call("HSET", key, unpack(fields))
redis.call("ZADD", base .. ":tokens", string.format("%.0f", now_us), id)
if digest ~= "" and ARGV[12] == "" then
  redis.call("SET", holder, id)
elseif digest ~= "" and tonumber(ARGV[12]) > 0 then
  redis.call("SET", holder, id, "PX", ARGV[12])
end
return { 1, id, outbox }
