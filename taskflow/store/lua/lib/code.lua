-- Durable runs whose journal does not fit the code of the nodes that are up. Derives :awaiting:<code> (runs by creation),
-- :tasks, :run:<id>. Fields of such a run: `misfit`, `refused` (the codes that its journal does not fit, one a line).
local function await_other_code(id, task, queue, status)
  local awaited = "code:" .. task
  await_registration(awaited, id, now_us_text)
  set_status(id, queue, status, "PENDING_VERSION", "awaiting", awaited)
end

-- Let a run start again from its journal, on nodes of a version where there are any.
local function leave_misfit(id, task, version)
  stop_awaiting("code:" .. task, id)
  redis.call("HDEL", run_key(id), "awaiting", "due")
  if version then
    redis.call("HSET", run_key(id), "prefers", version)
  end
  enqueue(id, true)
end

-- Start runs of a task for which a node has registered code that has not refused their journals. `rest` is "<offset> <task>".
local function start_misfits(rest)
  local offset, task = rest:match("^(%d+) (.*)$")
  local registration = cjson.decode(redis.call("HGET", base .. ":tasks", task) or "{}")
  local first = tonumber(offset)
  local ids, passed = redis.call("ZRANGE", base .. ":awaiting:code:" .. task, first, first + 49), first
  for _, id in ipairs(ids) do
    local run = fields(run_key(id), "status", "refused")
    if run.status ~= "PENDING_VERSION" then
      stop_awaiting("code:" .. task, id)
    elseif registration.code and not (run.refused or ""):find(registration.code .. "\n", 1, true) then
      leave_misfit(id, task, registration.prefers)
    else
      passed = passed + 1
    end
  end
  if #ids == 50 then
    set_timer("code:" .. passed .. " " .. task, now)
  end
end
