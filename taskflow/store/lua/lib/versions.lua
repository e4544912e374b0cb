-- Runs that no worker could execute yet: none has ever registered their task or their queue.
-- Derives :tasks, :queues, :awaiting:task:<task>, :awaiting:queue:<queue> (runs by creation).
-- Fields of such a run: `doubts` names what its trigger was not sure of ("task", "queue"), `foreign` what it could not know
-- of the task, not having its code, and did not choose; `awaiting` which of the sets it is in.
local RELEASED = 50

local function is_registered(kind, name)
  if kind == "task" then
    return redis.call("HEXISTS", base .. ":tasks", name) == 1
  end
  return redis.call("SISMEMBER", base .. ":queues", name) == 1
end

local function unregistered(task, queue, doubts)
  for kind, name in pairs({ task = task, queue = queue }) do
    if doubts:find(kind, 1, true) and not is_registered(kind, name) then
      return kind .. ":" .. name
    end
  end
end

local function with_tags(tags, own)
  for _, tag in ipairs(cjson.decode(own or "[]")) do
    tags[#tags + 1] = tag
  end
  return tags
end

-- A worker's word for what the trigger left open. Returns the run's queue.
local function fill(id, run)
  local key, names = run_key(id), run.foreign
  local told = cjson.decode(redis.call("HGET", base .. ":tasks", run.task))
  local machine = names:find("machine", 1, true) and told.class:match("^(.*)%.") or run.class:match("^(.*)%.")
  redis.call("HSET", key, "class", machine .. "." .. told.class:match("([^.]*)$"))
  for _, name in ipairs({ "queue", "max_attempts", "ttl", "max_duration" }) do
    if told[name] and names:find(name, 1, true) then
      redis.call("HSET", key, name, told[name])
    end
  end
  if told.tags then
    redis.call("HSET", key, "tags", cjson.encode(with_tags(told.tags, run.tags)))
  end
  redis.call("HDEL", key, "foreign")
  local queue = redis.call("HGET", key, "queue")
  if told.limits and queue == told.queue then -- several shards: the queue may live on another one
    declare_limits(queue, told.limits, false)
  end
  if queue ~= run.queue and run.status then
    redis.call("HINCRBY", base .. ":load", "pending:" .. run.queue, "-1")
    redis.call("HINCRBY", base .. ":load", "pending:" .. queue, "1")
  end
  return queue
end

local function wait_for_version(id, part, run, created, patience_ms)
  redis.call("ZADD", base .. ":awaiting:" .. part, created, id)
  redis.call("HSET", run_key(id), "awaiting", part)
  if not run.status then
    set_status(id, run.queue, "", "PENDING_VERSION")
    set_timer("patience:" .. id, now + patience_ms)
  end
end

-- Start a run that has all its fields but a status, or one that was PENDING_VERSION; or let it wait (longer).
-- `created`: microseconds, its place in the order.
local function start_if_registered(id, created, patience_ms)
  local key = run_key(id)
  local found = redis.call("HMGET", key, "task", "queue", "status", "due", "priority", "foreign", "doubts", "class", "tags")
  local run = { task = found[1], queue = found[2], status = found[3], foreign = found[6], class = found[8], tags = found[9] }
  local part = unregistered(run.task, run.queue, found[7])
  if run.foreign and is_registered("task", run.task) then
    run.queue = fill(id, run)
  end
  if part then
    wait_for_version(id, part, run, created, patience_ms)
    return
  end
  redis.call("HDEL", key, "doubts", "awaiting")
  if run.status then
    clear_timer("patience:" .. id)
  end
  local due = tonumber(found[4])
  if due and due > now then
    set_status(id, run.queue, run.status or "", "DELAYED")
    delay(id, due)
    return
  end
  redis.call("HDEL", key, "due")
  redis.call("HSET", key, "order", string.format("%.0f", (due and due * 1000 or created) - tonumber(found[5] or "0")))
  enqueue(id, false)
end

-- A worker has registered a task or queue: start what has waited for it, in the order of triggering.
local function release(kind, name)
  local part = kind .. ":" .. name
  if not is_registered(kind, name) then
    return
  end
  local waiting = redis.call("ZRANGE", base .. ":awaiting:" .. part, 0, RELEASED - 1, "WITHSCORES")
  for place = 1, #waiting, 2 do
    local id = waiting[place]
    redis.call("ZREM", base .. ":awaiting:" .. part, id)
    if redis.call("HGET", run_key(id), "status") == "PENDING_VERSION" then
      start_if_registered(id, tonumber(waiting[place + 1]))
    end
  end
  if #waiting == 2 * RELEASED then
    set_timer(part, now)
  end
end

-- No worker came in time. `end_run` is of the script that includes this.
local function lose_patience(id)
  local run = redis.call("HMGET", run_key(id), "status", "awaiting", "created")
  if run[1] ~= "PENDING_VERSION" then
    return
  end
  local kind, name = run[2]:match("^(%a+):(.*)$")
  local text = string.format(
    "No worker has registered %s '%s' within %g s. Start a worker whose code declares it, or look for a misspelt name.",
    kind, name, (now - tonumber(run[3])) / 1000
  )
  end_run(id, "EXPIRED", cjson.encode({ type = "PendingVersion", message = text, traceback = "" }))
end
