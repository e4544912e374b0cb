-- Take finished runs whose canvas nobody has honoured. They come up again when the caller dies over it.
-- ARGV[7] at most how many  [8] how long the caller has them for itself, ms
-- Derives :canvas.
-- Returns {1, run ids}.
local due = redis.call("ZRANGEBYSCORE", base .. ":canvas", "-inf", now, "LIMIT", 0, tonumber(ARGV[7]))
for _, id in ipairs(due) do
  redis.call("ZADD", base .. ":canvas", now + tonumber(ARGV[8]), id)
end
return { 1, due, outbox }
