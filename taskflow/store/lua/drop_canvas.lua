-- Forget a run's canvas, which was honoured.
-- ARGV[7] id of the run
-- Derives :run:<id>, :canvas.
-- Returns {1, 1}, {0, "MISSING"} when there is no such run (any more).
local was_due = redis.call("ZREM", base .. ":canvas", id)
if redis.call("EXISTS", run_key(id)) == 0 and was_due == 0 then
  return { 0, "MISSING", outbox }
end
redis.call("HDEL", run_key(id), "canvas", "canvas_until")
return { 1, 1, outbox }
