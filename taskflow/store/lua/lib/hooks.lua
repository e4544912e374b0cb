-- Final hooks of a run that ended without code that could run them: a ticket of its own lets a worker do it.
-- Derives :hooks (tasks that have such hooks).
local function has_hooks(id)
  return redis.call("SISMEMBER", base .. ":hooks", redis.call("HGET", run_key(id), "task")) == 1
end

local function request_hooks(id)
  if not has_hooks(id) then
    return
  end
  local key = run_key(id)
  local run = redis.call("HMGET", key, "task", "payload", "args", "queue", "class")
  local shared = environment .. "." .. run[5]
  local dedicated = shared .. "." .. run[4]
  redis.call("HSET", key, "hooks", "PENDING")
  reserve(id, run, capacity(shared) == 0 and capacity(dedicated) > 0 and dedicated or shared, true)
end

-- The code that still executes is being stopped, and runs the hooks itself; if it dies, request_hooks follows.
local function leave_hooks_to_code(id)
  if has_hooks(id) then
    redis.call("HSET", run_key(id), "hooks", "RUNNING")
  end
end

-- Whoever ran them is done with the run.
local function hooks_done(id, run, errors)
  local key = run_key(id)
  if redis.call("HGET", key, "hooks") == "RUNNING" then
    redis.call("HSET", key, "hooks", "DONE")
    if errors ~= "" then
      redis.call("HSET", key, "hook_errors", errors)
    end
    event(id, "hooks", "DONE")
  end
  leave_node(id, run)
  release_slot(id)
end

-- A worker died inside the hooks: they run again.
local function hooks_lost(id)
  local key = run_key(id)
  if redis.call("HGET", key, "hooks") == "RUNNING" then
    if redis.call("HINCRBY", key, "hooks_lost", 1) > max_lost then
      redis.call("HSET", key, "hooks", "LOST")
    else
      request_hooks(id)
    end
  end
end
