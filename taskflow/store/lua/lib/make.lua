-- Make a run, once per id, and start it when it may start. Derives :run:<id>, :live, :key:<task>:<digest>, :children:<run>,
-- :waiters:<run>, :effects, :journal:<run>, :waits:<run>.
local function add_given(values, name, value)
  if value ~= "" then
    values[#values + 1], values[#values + 2] = name, value
  end
end

-- Name a run that was debounced by the idempotency key of the call as well.
local function add_key(id, idempotency, idempotency_key)
  if idempotency ~= "" and redis.call("HSETNX", run_key(id), "idempotency", idempotency) == 1 then
    redis.call("SET", base .. ":key:" .. idempotency, id)
    redis.call("HSET", run_key(id), "key", idempotency_key)
  elseif idempotency ~= "" then -- the run has another key already
    redis.call("SET", base .. ":key:" .. idempotency, id, "PX", retention_ms)
  end
end

-- The arguments of a run, from ARGV[at] on:
--   id, task, payload (JSON), args (redacted ones, or ""), queue, limits (fields of :queue:<queue> as JSON, or "" when none
--   are declared here), class "<machine>.<executor>", max_attempts, tags (JSON or ""), due (ms, "+<ms>" from now, or ""),
--   idempotency "<task>:<digest>" or "", idempotency_key (the key itself or ""), further (JSON object of further fields of
--   the run, or ""), debouncing (JSON or "").
--   `further` may have: "waiter", which waits for the run's end; "prefers", the version of its code; "place" in the order,
--   its parent's; "patience", ms to wait for a worker, because the trigger could not look its task or queue up; "durable",
--   1 for a run whose journal was planted, see plant_journal.
-- Returns 1 and the run id when made, 2 and a run id when this id, the idempotency key or the debounce key has a run.
local function make_one(at)
  local id, task, payload, args, queue, limits, class, max_attempts, tags, due_text, idempotency, idempotency_key,
    further_text, debouncing = unpack(ARGV, at, at + 13)
  local key = run_key(id)
  if idempotency ~= "" then
    local holder = redis.call("GET", base .. ":key:" .. idempotency)
    -- A key without a time to live belongs to a live run: where that is gone, the key is free. A finished run may have left
    -- the store for the history.
    if holder and (redis.call("EXISTS", run_key(holder)) == 1 or redis.call("PTTL", base .. ":key:" .. idempotency) > 0) then
      return 2, holder
    end
  end
  if redis.call("EXISTS", key) == 1 then
    return 2, id
  end
  local further = further_text ~= "" and cjson.decode(further_text) or {}
  local debounced = debouncing ~= "" and debounce(id, cjson.decode(debouncing), {
    payload = payload, args = args, class = class, max_attempts = max_attempts, tags = tags, due = due_text, further = further,
  })
  if debounced then
    add_key(debounced, idempotency, idempotency_key)
    return 2, debounced
  end
  local place, patience_ms = further.place or now_us_text, further.patience
  further.place, further.patience = nil, nil
  further.waited = further.waiter and "1" or ""
  local values = {
    "task", task, "payload", payload, "queue", queue, "class", class, "max_attempts", max_attempts, "created", now_text,
  }
  add_given(values, "args", args)
  add_given(values, "tags", tags)
  add_given(values, "idempotency", idempotency)
  add_given(values, "key", idempotency_key)
  for name, value in pairs(further) do
    add_given(values, name, value)
  end
  if idempotency ~= "" then
    redis.call("SET", base .. ":key:" .. idempotency, id)
  end
  if further.parent then
    redis.call("SADD", base .. ":children:" .. further.parent, id)
    if redis.call("HGET", run_key(further.parent), "status") == "CANCELED" then -- its code has not stopped yet
      redis.call("SADD", base .. ":effects", "cancel-children:" .. further.parent)
    end
  end
  if further.waiter then
    redis.call("SADD", base .. ":waiters:" .. id, further.waiter)
  end
  if further.durable then
    redis.call("PERSIST", base .. ":journal:" .. id)
    redis.call("PERSIST", base .. ":waits:" .. id)
  end
  redis.call("ZADD", base .. ":live", now_us_text, id)
  if limits ~= "" then
    declare_limits(queue, cjson.decode(limits), false)
  end
  local due = instant_of(due_text)
  if patience_ms then
    redis.call("HSET", key, unpack(values))
    if due and due > now then
      redis.call("HSET", key, "due", string.format("%d", due))
    end
    start_if_registered(id, tonumber(place), tonumber(patience_ms))
  elseif due and due > now then
    set_status(id, queue, "", "DELAYED", "due", string.format("%d", due), unpack(values))
    delay_run(id, due)
  elseif not (further.ttl or further.priority or is_governed(queue)) then
    local celery_queue = environment .. "." .. class
    if further.waiter then
      celery_queue = shared_queue(class, further.waiter, further.prefers, task)
    end
    set_status(id, queue, "", "QUEUED", "order", place, "reservation", "1", "ticket", celery_queue, unpack(values))
    publish(id, { task = task, payload = payload, args = args ~= "" and args, trace = further.trace }, 1, celery_queue, false)
  else
    local order = string.format("%.0f", tonumber(place) - tonumber(further.priority or "0"))
    redis.call("HSET", key, "order", order, unpack(values))
    enqueue(id, false)
  end
  return 1, id
end

local function make_run(at)
  local code, id = make_one(at)
  local further_text = ARGV[at + 12]
  local waiter = code == 2 and further_text:find('"waiter"', 1, true) and cjson.decode(further_text).waiter
  if waiter then -- the run is an older one, or the call is a repeated one: the waiter waits for its end as well
    add_waiter(id, waiter)
    start_as_awaited(id, waiter)
  end
  return code, id
end
