-- Take the Celery canvas of a finished run, for one caller at a time. One that dies over it loses it to upkeep; so does
-- one whose reply was lost and who asks again.
-- ARGV[7] run id  [8] how long the caller has it for itself, ms
-- Derives :run:<id>, :canvas.
-- Returns {1, {canvas JSON, status, task, output JSON, error JSON}}; {0, "TAKEN"} when another has it; {0, "DONE"} when
--   there is none, or it was honoured; {0, "MISSING"}.
local id, hold = ARGV[7], tonumber(ARGV[8])
local found = redis.call("HMGET", run_key(id), "canvas", "status", "task", "output", "error", "canvas_until")
if not found[1] then
  redis.call("ZREM", base .. ":canvas", id)
  return { 0, found[2] and "DONE" or "MISSING", outbox }
end
if found[6] and tonumber(found[6]) > now then
  return { 0, "TAKEN", outbox }
end
redis.call("HSET", run_key(id), "canvas_until", now + hold)
redis.call("ZADD", base .. ":canvas", "XX", now + hold, id)
return { 1, { unpack(found, 1, 5) }, outbox }
