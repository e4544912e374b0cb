-- Take the Celery canvas of a finished run, for one caller at a time. If the caller dies, or its reply is lost, upkeep takes
-- it later.
-- ARGV[7] id of the run  [8] hold_ms: how long no other caller gets it
-- Derives :run:<id>, :canvas.
-- Returns {1, {canvas JSON, status, task, output JSON, error JSON}}; {0, "TAKEN"} while another has it; {0, "DONE"} when
--   there is none, or it was honoured; {0, "MISSING"}.
local run = fields(run_key(id), "canvas", "status", "task", "output", "error", "canvas_until")
if not run.canvas then
  redis.call("ZREM", base .. ":canvas", id)
  return { 0, run.status and "DONE" or "MISSING", outbox }
end
if run.canvas_until and tonumber(run.canvas_until) > now then
  return { 0, "TAKEN", outbox }
end
redis.call("HSET", run_key(id), "canvas_until", now + tonumber(hold_ms))
redis.call("ZADD", base .. ":canvas", "XX", now + tonumber(hold_ms), id)
return { 1, { run.canvas, run.status, run.task, run.output, run.error }, outbox }
