-- Take finished runs whose canvas is due to be honoured. They are due again when the caller dies.
-- ARGV[7] most: at most how many  [8] hold_ms: how long no other caller gets them
-- Derives :canvas.
-- Returns {1, run ids}.
local due = redis.call("ZRANGEBYSCORE", base .. ":canvas", "-inf", now, "LIMIT", 0, tonumber(most))
for _, id in ipairs(due) do
  redis.call("ZADD", base .. ":canvas", now + tonumber(hold_ms), id)
end
return { 1, due, outbox }
