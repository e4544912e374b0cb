-- Reserve slots for pending runs: each concurrency key in its turn, its oldest run whose class has a live node with room.
-- Derives :blocked:<class>, :serving:<Celery queue>, :unclaimed:<Celery queue>, :environment:waiting, :versions:<queue>@<version>,
-- :knows:<Celery queue>.
local DISPATCHES = 100
local LOOKS = 1000
local RATE_PAUSE_MS = 50

local function capacity(celery_queue)
  local total = 0
  for _, slots in ipairs(redis.call("HVALS", base .. ":serving:" .. celery_queue)) do
    total = total + tonumber(slots)
  end
  return total
end

-- The nodes of one version that know the same tasks have a Celery queue for what runs of their version wait for, beside each
-- queue: "<queue>@<version>.<tasks>". Returns "<queue>@<version>" of such a name, nothing of another.
local function kin_of(celery_queue)
  return celery_queue:match("^(.+@.+)%.%x+$")
end

-- Such a Celery queue beside `queue` that nodes take from: one whose nodes know the task, any one when that is nil.
local function version_queue(queue, version, task)
  for _, name in ipairs(redis.call("SMEMBERS", base .. ":versions:" .. queue .. SUBTASKS .. version)) do
    local knows = not task or redis.call("SISMEMBER", base .. ":knows:" .. name, task) == 1
    if knows and redis.call("EXISTS", base .. ":serving:" .. name) == 1 then
      return name
    end
  end
end

-- Runs that others wait for have a Celery queue beside each queue: a node full of waiting runs takes from it alone.
-- They go to the version of who waits where a node has it, and the task.
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

-- On which Celery queues a run of this class could start, the best first: the dedicated one, while a node serves it, before
-- the shared one.
local function candidates(order, queue, id)
  local class, suffix = class_of(order), order:match("@.*$")
  local shared = environment .. "." .. class
  local dedicated, found = shared .. "." .. queue, {}
  if suffix and suffix ~= SUBTASKS then
    local version, task = suffix:sub(2), id and redis.call("HGET", run_key(id), "task")
    found[1] = version_queue(dedicated, version, task)
    found[#found + 1] = version_queue(shared, version, task)
  end
  if suffix then
    found[#found + 1], found[#found + 2] = dedicated .. SUBTASKS, shared .. SUBTASKS
  end
  found[#found + 1], found[#found + 2] = dedicated, shared
  return found
end

-- The Celery queue on which a run of this class, the one at its head, could start now. The code of a held class is on its
-- node already.
local function target(order, queue, id)
  if is_held_class(order) then
    return order
  end
  for _, celery_queue in ipairs(candidates(order, queue, id)) do
    local room = capacity(celery_queue)
    if room > 0 then
      return redis.call("SCARD", base .. ":unclaimed:" .. celery_queue) < 2 * room and celery_queue or nil
    end
  end
end

-- The key's oldest run among the classes that can start it: {class, Celery queue, run id}, and the classes that can't.
-- `only_held`: among those that wait to go on.
local function next_pending(queue, concurrency_key, only_held)
  local best, best_order, full = nil, nil, {}
  for _, class in ipairs(redis.call("SMEMBERS", queue_key(queue) .. ":classes")) do
    local head = redis.call("ZRANGE", pending_key(queue, class, concurrency_key), 0, 0, "WITHSCORES")
    if head[1] and (is_held_class(class) or not only_held) then
      local celery_queue = target(class, queue, head[1])
      if not celery_queue then
        full[#full + 1] = class_of(class)
      elseif not best or tonumber(head[2]) < best_order then
        best, best_order = { class, celery_queue, head[1] }, tonumber(head[2])
      end
    end
  end
  return best, full
end

-- Start the oldest run of a key, or take the key's turn away until what it waits for happens.
local function serve(queue, limits, concurrency_key)
  local turns = queue_key(queue) .. ":turns"
  redis.call("ZREM", turns, concurrency_key)
  if not has_room(queue, limits, concurrency_key) then
    return false
  end
  local wait = rate_wait(queue, limits, concurrency_key)
  if wait > 0 then
    set_timer("rate:" .. queue .. "\n" .. concurrency_key, now + math.max(RATE_PAUSE_MS, math.ceil(wait / 1000)))
  end
  local found, full = next_pending(queue, concurrency_key, wait > 0) -- going on is no start: it has no rate
  for _, class in ipairs(full) do
    redis.call("SADD", base .. ":blocked:" .. class, queue .. "\n" .. concurrency_key)
  end
  if not found then
    return false
  end
  local class, celery_queue, id = found[1], found[2], found[3]
  unpend(id, queue, class, concurrency_key)
  take_slot(id, queue, limits, concurrency_key)
  if is_held_class(class) then
    grant(id, queue, "QUEUED")
  else
    rate_take(queue, limits, concurrency_key)
    redis.call("SADD", base .. ":unclaimed:" .. celery_queue, id)
    reserve(id, redis.call("HMGET", run_key(id), "task", "payload", "args"), celery_queue, false)
  end
  if has_pending(queue, concurrency_key) then
    give_turn(queue, concurrency_key)
  end
  return true
end

-- Returns how many runs it started, at most `most`.
local function dispatch(queue, most)
  local limits, started = read_limits(queue), 0
  if limits.is_paused then
    return 0
  end
  for look = 1, LOOKS do
    local concurrency_key = redis.call("ZRANGE", queue_key(queue) .. ":turns", 0, 0)[1]
    local full = concurrency_key and is_full(queue, limits)
    if full == "environment" then
      redis.call("ZADD", base .. ":environment:waiting", "NX", now_us, queue)
    end
    if not concurrency_key or full or started >= (most or DISPATCHES) then
      break
    end
    if serve(queue, limits, concurrency_key) then
      started = started + 1
    end
    if look == LOOKS then -- upkeep goes on
      set_timer("look:" .. queue, now)
    end
  end
  return started
end

-- An environment slot is free: let the queue that has waited longest for one have it. Derives :environment:waiting.
local function pass_environment_slot()
  for _ = 1, DISPATCHES do
    local waiting = redis.call("ZPOPMIN", base .. ":environment:waiting")[1]
    if not waiting or dispatch(waiting) > 0 then
      return
    end
  end
end

-- What kept runs without a key from their turn may be gone: look again.
local function rouse(queue)
  if has_pending(queue, "") then
    give_turn(queue, "")
  end
  return dispatch(queue)
end

-- Room appeared in a class: let what waited for it start, `count` runs.
local function unblock(class, count)
  local tries = 0
  for _ = 1, LOOKS do
    local waiting = count > 0 and redis.call("SPOP", base .. ":blocked:" .. class)
    if not waiting then
      return
    end
    local queue, concurrency_key = waiting:match("^(.-)\n(.*)$")
    if has_pending(queue, concurrency_key) then -- else its runs were canceled
      give_turn(queue, concurrency_key)
      count = count - dispatch(queue, count)
      tries = tries + 1
    end
    if tries == DISPATCHES then
      break
    end
  end
  if count > 0 then -- what can start may be among those not looked at
    set_timer("room:" .. class, now + 1000)
  end
end
