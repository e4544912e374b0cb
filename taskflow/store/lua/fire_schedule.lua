-- Fire a tick: make its run and move the schedule to its next tick, in one step. A schedule that was changed, or has
-- moved on, fires nothing.
-- ARGV[7] id of the schedule  [8] revision  [9] expected: its next tick as it was read, ms  [10] tick: the one to fire, ms
--   [11] following: the tick after that, ms, or ""  [12] due: when that is fired, ms, or ""  [13] zones: version of the time
--   zone data that computed it  [14...] run: the run's arguments, see lib/make.lua
-- Derives :schedule:<id>, :schedules, :run:<id>, :tasks.
-- Returns {1, run} when made, {2, run} when the tick has a run already, {3, run} when the tick is left out because this run
--   is not finished, {4, run} when the schedule waits for this run, {0, ""} when the schedule was changed or has moved on,
--   {5, task} when no worker has registered its task.
local key = schedule_key(id)
local schedule = fields(key, "revision", "next", "overlap", "run", "task")
if schedule.revision ~= revision or schedule.next ~= expected then
  return { 0, "", outbox }
end
if redis.call("HEXISTS", base .. ":tasks", schedule.task) == 0 then
  return { 5, schedule.task, outbox }
end
local live = live_run(schedule.run)
if live and schedule.overlap == "queue" then
  hold_schedule(id, live)
  return { 4, live, outbox }
end
local code, made = 3, live
if live and schedule.overlap == "skip" then
  redis.call("HINCRBY", key, "skipped", 1)
else
  if live and schedule.overlap == "cancel_previous" then
    local text = "The schedule's next tick has come, and its overlap is cancel_previous."
    end_run(live, "CANCELED", cjson.encode({ type = "Canceled", message = text, traceback = "" }))
    redis.call("HSET", run_key(live), "canceled_by", "schedule " .. id)
  end
  code, made = make_run(14)
  redis.call("HSET", key, "last", tick, "run", made)
end
redis.call("HDEL", key, "held", "error")
redis.call("HINCRBY", key, "revision", 1)
if following == "" then
  redis.call("HDEL", key, "next", "due")
else
  redis.call("HSET", key, "next", following, "due", due, "zones", zones)
end
plan_schedule(id, due)
return { code, made, outbox }
