-- Schedules: their records, and the index of their next instants. Derives :schedule:<id>, :schedules, :run:<id>.
local RECHECKED_MS = 60000 -- a schedule that waits for a run looks again, should the end of the run be lost

local function schedule_key(id)
  return base .. ":schedule:" .. id
end

-- Have upkeep look at a schedule at an instant, in ms; never for "".
local function plan_schedule(id, due)
  if due == "" then
    redis.call("ZREM", base .. ":schedules", id)
    return
  end
  redis.call("ZADD", base .. ":schedules", due, id)
  if redis.call("ZRANGE", base .. ":schedules", 0, 0)[1] == id then
    wake(due)
  end
end

-- Have a schedule wait for the end of a run.
local function hold_schedule(id, run)
  redis.call("HSET", schedule_key(id), "held", run)
  plan_schedule(id, string.format("%d", now + RECHECKED_MS))
end

-- Returns the run if it has not ended.
local function live_run(id)
  local run = fields(run_key(id or ""), "status", "finished")
  return run.status and not run.finished and id or nil
end

-- Let the schedule go on that waits for the end of this run, if it does.
local function resume_schedule(id, run)
  if redis.call("HGET", schedule_key(id), "held") == run then
    plan_schedule(id, now_text)
  end
end

-- Returns {id, {field, value, ...}} for each id that has a record.
local function schedule_records(ids)
  local found = {}
  for _, id in ipairs(ids) do
    local record = redis.call("HGETALL", schedule_key(id))
    if #record > 0 then
      found[#found + 1] = { id, record }
    end
  end
  return found
end
