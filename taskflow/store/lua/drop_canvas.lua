-- A run's canvas was honoured.
-- ARGV[7] run id
-- Derives :run:<id>, :canvas.
-- Returns {1, 1}, {0, "MISSING"} when there is no such run (any more).
local waited = redis.call("ZREM", base .. ":canvas", ARGV[7])
if redis.call("EXISTS", run_key(ARGV[7])) == 0 and waited == 0 then
  return { 0, "MISSING", outbox }
end
redis.call("HDEL", run_key(ARGV[7]), "canvas", "canvas_until")
return { 1, 1, outbox }
