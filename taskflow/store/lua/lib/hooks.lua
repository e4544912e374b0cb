-- Final hooks of a run that ended without code that could run them: a ticket of their own brings them to a worker.
-- Derives :hooks (tasks that have such hooks), :run:<id>.
local function has_hooks(id)
  return redis.call("SISMEMBER", base .. ":hooks", redis.call("HGET", run_key(id), "task")) == 1
end

local function request_hooks(id)
  if not has_hooks(id) then
    return
  end
  local key = run_key(id)
  local run = fields(key, "task", "payload", "args", "trace", "queue", "class")
  local shared = environment .. "." .. run.class
  local dedicated = shared .. "." .. run.queue
  redis.call("HSET", key, "hooks", "PENDING")
  reserve(id, run, served_slots(shared) == 0 and served_slots(dedicated) > 0 and dedicated or shared, true)
end

-- Leave the hooks to the code that still executes and is being stopped. If it dies, repeat_hooks follows.
local function leave_hooks_to_code(id)
  if has_hooks(id) then
    redis.call("HSET", run_key(id), "hooks", "RUNNING")
  end
end

-- Take a run whose hooks have ended off its node.
local function end_hooks(id, run, errors)
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

-- Run the hooks again, because a worker died inside them.
local function repeat_hooks(id)
  local key = run_key(id)
  if redis.call("HGET", key, "hooks") == "RUNNING" then
    if redis.call("HINCRBY", key, "hooks_lost", 1) > max_lost then
      redis.call("HSET", key, "hooks", "LOST")
    else
      request_hooks(id)
    end
  end
end

-- End a run whose outcome is known and whose code died in its final hooks: the hooks run again, the run does not.
local function end_settled(id, run)
  leave_node(id, run)
  close_run(id, run.settled)
  release_slot(id)
  request_hooks(id)
end
