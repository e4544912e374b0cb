-- Start runs whose task and queue a worker has registered; let the others wait for that.
-- Derives :tasks, :queues, :awaiting:task:<task>, :awaiting:queue:<queue> (runs by creation), :load.
-- Fields of such a run: `doubts` names what its trigger could not look up ("task", "queue"); `foreign` names the options that
-- the trigger left open, because it has not the task's code; `awaiting` is "task:<task>" or "queue:<queue>".
local STARTED_AT_ONCE = 50

local function is_registered(kind, name)
  if kind == "task" then
    return redis.call("HEXISTS", base .. ":tasks", name) == 1
  end
  return redis.call("SISMEMBER", base .. ":queues", name) == 1
end

-- Returns "task:<task>" or "queue:<queue>" when it is in doubt and not registered.
local function first_unregistered(task, queue, doubts)
  for kind, name in pairs({ task = task, queue = queue }) do
    if doubts:find(kind, 1, true) and not is_registered(kind, name) then
      return kind .. ":" .. name
    end
  end
end

local function with_tags(tags, own)
  local known = {}
  for _, tag in ipairs(tags) do
    known[tag] = true
  end
  for _, tag in ipairs(cjson.decode(own or "[]")) do
    if not known[tag] then
      tags[#tags + 1] = tag
    end
  end
  return tags
end

-- Give a run the registered options that its trigger left open. Returns the run's queue.
local function add_registered(id, run)
  local key, open = run_key(id), run.foreign
  local registration = cjson.decode(redis.call("HGET", base .. ":tasks", run.task))
  local machine = open:find("machine", 1, true) and registration.class:match("^(.*)%.") or run.class:match("^(.*)%.")
  redis.call("HSET", key, "class", machine .. "." .. registration.class:match("([^.]*)$"))
  for _, name in ipairs({ "queue", "max_attempts", "ttl", "max_duration" }) do
    if registration[name] and open:find(name, 1, true) then
      redis.call("HSET", key, name, registration[name])
    end
  end
  if registration.tags then
    redis.call("HSET", key, "tags", cjson.encode(with_tags(registration.tags, run.tags)))
  end
  redis.call("HDEL", key, "foreign")
  local queue = redis.call("HGET", key, "queue")
  if registration.limits and queue == registration.queue then -- several shards: the queue may be on another one
    declare_limits(queue, registration.limits, false)
  end
  if queue ~= run.queue and run.status then
    redis.call("HINCRBY", base .. ":load", "pending:" .. run.queue, "-1")
    redis.call("HINCRBY", base .. ":load", "pending:" .. queue, "1")
  end
  return queue
end

local function wait_for_registration(id, awaited, run, created, patience_ms)
  await_registration(awaited, id, created)
  redis.call("HSET", run_key(id), "awaiting", awaited)
  if not run.status then
    set_status(id, run.queue, "", "PENDING_VERSION")
    set_timer("patience:" .. id, now + patience_ms)
  end
end

-- Start a run that is PENDING_VERSION, or a new one without a status; or let it wait (longer). `created`: in microseconds,
-- its place in the order.
local function start_if_registered(id, created, patience_ms)
  local key = run_key(id)
  local run = fields(key, "task", "queue", "status", "due", "priority", "foreign", "doubts", "class", "tags")
  local awaited = first_unregistered(run.task, run.queue, run.doubts)
  if run.foreign and is_registered("task", run.task) then
    run.queue = add_registered(id, run)
  end
  if awaited then
    wait_for_registration(id, awaited, run, created, patience_ms)
    return
  end
  redis.call("HDEL", key, "doubts", "awaiting")
  if run.status then
    clear_timer("patience:" .. id)
  end
  local due = tonumber(run.due)
  if due and due > now then
    set_status(id, run.queue, run.status or "", "DELAYED")
    delay_run(id, due)
    return
  end
  redis.call("HDEL", key, "due")
  redis.call("HSET", key, "order", string.format("%.0f", (due and due * 1000 or created) - tonumber(run.priority or "0")))
  enqueue(id, false)
end

-- Start the runs that waited for a task or queue, which a worker has registered, in the order of their triggers.
local function start_registered(kind, name)
  local awaited = kind .. ":" .. name
  if not is_registered(kind, name) then
    return
  end
  local waiting = redis.call("ZRANGE", base .. ":awaiting:" .. awaited, 0, STARTED_AT_ONCE - 1, "WITHSCORES")
  for index = 1, #waiting, 2 do
    local id = waiting[index]
    stop_awaiting(awaited, id)
    if redis.call("HGET", run_key(id), "status") == "PENDING_VERSION" then
      start_if_registered(id, tonumber(waiting[index + 1]))
    end
  end
  if #waiting == 2 * STARTED_AT_ONCE then
    set_timer(awaited, now)
  end
end
