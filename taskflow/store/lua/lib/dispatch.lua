-- Reserve slots for pending runs: each concurrency key in its turn, its oldest run whose class has a live node with room.
-- Derives :blocked:<class>, :unclaimed:<Celery queue>, :environment:waiting.
local DISPATCHES = 100
local LOOKS = 1000
local RATE_PAUSE_MS = 50

-- Returns the key's oldest run among the classes that can start it, as {class, Celery queue, run id}, and the classes that
-- cannot. `only_held`: among the runs that wait to go on.
local function next_pending(queue, concurrency_key, only_held)
  local best, best_order, full = nil, nil, {}
  for _, pending_class in ipairs(redis.call("SMEMBERS", queue_key(queue) .. ":classes")) do
    local head = redis.call("ZRANGE", pending_key(queue, pending_class, concurrency_key), 0, 0, "WITHSCORES")
    local id, order = head[1], tonumber(head[2])
    if id and (is_held_class(pending_class) or not only_held) then
      local celery_queue = target(pending_class, queue, id)
      if not celery_queue then
        full[#full + 1] = class_of(pending_class)
      elseif not best or order < best_order then
        best, best_order = { pending_class, celery_queue, id }, order
      end
    end
  end
  return best, full
end

-- Start the oldest run of a key, or take the key's turn away until the event for which it waits.
local function take_turn(queue, limits, concurrency_key)
  local turns = queue_key(queue) .. ":turns"
  redis.call("ZREM", turns, concurrency_key)
  if not has_room(queue, limits, concurrency_key) then
    return false
  end
  local wait = rate_wait(queue, limits, concurrency_key)
  if wait > 0 then
    set_timer("rate:" .. queue .. "\n" .. concurrency_key, now + math.max(RATE_PAUSE_MS, math.ceil(wait / 1000)))
  end
  local first, full = next_pending(queue, concurrency_key, wait > 0) -- a run that goes on does not start: it has no rate
  for _, class in ipairs(full) do
    redis.call("SADD", base .. ":blocked:" .. class, queue .. "\n" .. concurrency_key)
  end
  if not first then
    return false
  end
  local pending_class, celery_queue, id = first[1], first[2], first[3]
  unpend(id, queue, pending_class, concurrency_key)
  take_slot(id, queue, limits, concurrency_key)
  if is_held_class(pending_class) then
    grant(id, queue, "QUEUED")
  else
    rate_take(queue, limits, concurrency_key)
    redis.call("SADD", base .. ":unclaimed:" .. celery_queue, id)
    local run = fields(run_key(id), "task", "payload", "args", "trace")
    reserve(id, run, celery_queue, false)
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
    if take_turn(queue, limits, concurrency_key) then
      started = started + 1
    end
    if look == LOOKS then -- upkeep goes on
      set_timer("look:" .. queue, now)
    end
  end
  return started
end

-- Give a free slot of the environment to the queue that has waited longest for one.
local function pass_environment_slot()
  for _ = 1, DISPATCHES do
    local queue = redis.call("ZPOPMIN", base .. ":environment:waiting")[1]
    if not queue or dispatch(queue) > 0 then
      return
    end
  end
end

-- Dispatch a queue again, because what kept its runs without a key from their turn may be gone.
local function rouse(queue)
  if has_pending(queue, "") then
    give_turn(queue, "")
  end
  return dispatch(queue)
end

-- Start up to `count` runs that wait for room in a class.
local function unblock(class, count)
  local tries = 0
  for _ = 1, LOOKS do
    local blocked = count > 0 and redis.call("SPOP", base .. ":blocked:" .. class)
    if not blocked then
      return
    end
    local queue, concurrency_key = blocked:match("^(.-)\n(.*)$")
    if has_pending(queue, concurrency_key) then -- else its runs were canceled
      give_turn(queue, concurrency_key)
      count = count - dispatch(queue, count)
      tries = tries + 1
    end
    if tries == DISPATCHES then
      break
    end
  end
  if count > 0 then -- a run that can start may be among those that were not looked at
    set_timer("room:" .. class, now + 1000)
  end
end
