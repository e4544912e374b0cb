-- Choose the Celery queue on which a run starts. Derives :serving:<Celery queue>, :unclaimed:<Celery queue>,
-- :versions:<queue>@<version>, :knows:<Celery queue>.
-- "<environment>.<class>" is shared by the class's queues, "<environment>.<class>.<queue>" is dedicated to one. Beside each
-- there is one for runs that others wait for, "<Celery queue>@", because a node full of waiting runs takes from it alone.
-- Nodes of one version that have the same tasks also take from "<Celery queue>@<version>.<tasks>".

-- Returns how many slots the nodes that take from a Celery queue have.
local function served_slots(celery_queue)
  local total = 0
  for _, slots in ipairs(redis.call("HVALS", base .. ":serving:" .. celery_queue)) do
    total = total + tonumber(slots)
  end
  return total
end

-- Returns "<Celery queue>@<version>" for the queue of a version, nothing for another.
local function kin_of(celery_queue)
  return celery_queue:match("^(.+@.+)%.%x+$")
end

-- Returns a version's Celery queue beside `queue` from which nodes take that have the task; any of them without a task.
local function version_queue(queue, version, task)
  for _, name in ipairs(redis.call("SMEMBERS", base .. ":versions:" .. queue .. SUBTASKS .. version)) do
    local has_task = not task or redis.call("SISMEMBER", base .. ":knows:" .. name, task) == 1
    if has_task and redis.call("EXISTS", base .. ":serving:" .. name) == 1 then
      return name
    end
  end
end

-- Returns the Celery queue of a run that is not governed. A run that another waits for goes to the waiter's version where
-- a node has that version and the task.
local function shared_queue(class, waiter, prefers, task)
  local shared = environment .. "." .. class
  local preferred = prefers and version_queue(shared, prefers, task)
  if preferred then
    return preferred
  end
  if waiter and redis.call("EXISTS", base .. ":serving:" .. shared .. SUBTASKS) == 1 then
    return shared .. SUBTASKS
  end
  return shared
end

-- Returns the Celery queues on which a run of this class could start, the best first. A dedicated one precedes a shared one.
local function candidates(pending_class, queue, id)
  local class, suffix = class_of(pending_class), pending_class:match("@.*$")
  local shared = environment .. "." .. class
  local dedicated, names = shared .. "." .. queue, {}
  if suffix and suffix ~= SUBTASKS then
    local version, task = suffix:sub(2), id and redis.call("HGET", run_key(id), "task")
    names[1] = version_queue(dedicated, version, task)
    names[#names + 1] = version_queue(shared, version, task)
  end
  if suffix then
    names[#names + 1], names[#names + 2] = dedicated .. SUBTASKS, shared .. SUBTASKS
  end
  names[#names + 1], names[#names + 2] = dedicated, shared
  return names
end

-- Returns the Celery queue on which a run of this class could start now; nothing when its nodes are full or there are none.
-- `id` is the first run of the class, if known. The code of a held class is on its node already.
local function target(pending_class, queue, id)
  if is_held_class(pending_class) then
    return pending_class
  end
  for _, celery_queue in ipairs(candidates(pending_class, queue, id)) do
    local room = served_slots(celery_queue)
    if room > 0 then
      return redis.call("SCARD", base .. ":unclaimed:" .. celery_queue) < 2 * room and celery_queue or nil
    end
  end
end
