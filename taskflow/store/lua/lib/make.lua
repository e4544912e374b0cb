-- Make a run, once per id, and start it when it may start. Derives :run:<id>, :live, :key:<task>:<digest>, :children:<run>.

local function add_given(fields, name, value)
  if value ~= "" then
    fields[#fields + 1], fields[#fields + 2] = name, value
  end
end

-- Its arguments, from ARGV[at] on: [0] run id  [1] task  [2] payload JSON  [3] redacted args or ""  [4] queue
--   [5] its limits as fields of :queue:<queue>, JSON, or "" when it has none declared here
--   [6] class "<machine>.<executor>"  [7] max_attempts  [8] tags JSON or ""  [9] due ms, "+<ms>" from now, or ""
--   [10] "<task>:<digest>" of the idempotency key or ""  [11] the key itself or ""
--   [12] JSON object of further fields of the run or ""  [13] debounce JSON or ""
--   Among the further fields: "waiter", who waits for the run's end; "prefers", the version of its code; "place", the order
--   the run takes, its parent's.
-- Returns 1 and the run id when made, 2 and a run id when this id, the idempotency key or the debounce key has a run.
local function make_one(at)
  local id, task, payload, args, queue, limits, class = unpack(ARGV, at, at + 6)
  local key, idempotency = run_key(id), ARGV[at + 10]
  if idempotency ~= "" then
    local holder = redis.call("GET", base .. ":key:" .. idempotency)
    -- A key without a time to live is of a live run: where that is gone, the key is free. A finished run may have left the
    -- store for the history.
    if holder and (redis.call("EXISTS", run_key(holder)) == 1 or redis.call("PTTL", base .. ":key:" .. idempotency) > 0) then
      return 2, holder
    end
  end
  if redis.call("EXISTS", key) == 1 then
    return 2, id
  end
  local debounced = ARGV[at + 13] ~= "" and more().debounce(id, cjson.decode(ARGV[at + 13]), at)
  if debounced then
    if idempotency ~= "" and redis.call("HSETNX", run_key(debounced), "idempotency", idempotency) == 1 then
      redis.call("SET", base .. ":key:" .. idempotency, debounced)
      redis.call("HSET", run_key(debounced), "key", ARGV[at + 11])
    elseif idempotency ~= "" then -- the run has another key already: this one names it, too
      redis.call("SET", base .. ":key:" .. idempotency, debounced, "PX", retention_ms)
    end
    return 2, debounced
  end
  local further = ARGV[at + 12] ~= "" and cjson.decode(ARGV[at + 12]) or {}
  local place = further.place or now_us_text
  further.place = nil
  further.waited = further.waiter and "1" or ""
  local patience_ms = further.patience -- the trigger is not sure that a worker knows the task or the queue: see versions
  further.patience = nil
  local fields = {
    "task", task, "payload", payload, "queue", queue, "class", class, "max_attempts", ARGV[at + 7], "created", now_text,
  }
  add_given(fields, "args", args)
  add_given(fields, "tags", ARGV[at + 8])
  add_given(fields, "idempotency", idempotency)
  add_given(fields, "key", ARGV[at + 11])
  for name, value in pairs(further) do
    add_given(fields, name, value)
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
  redis.call("ZADD", base .. ":live", now_us_text, id)
  if limits ~= "" then
    more().declare_limits(queue, cjson.decode(limits), false)
  end
  local due = ARGV[at + 9]:sub(1, 1) == "+" and now + tonumber(ARGV[at + 9]) or tonumber(ARGV[at + 9])
  if patience_ms then
    redis.call("HSET", key, unpack(fields))
    if due and due > now then
      redis.call("HSET", key, "due", string.format("%d", due))
    end
    more().start_if_registered(id, tonumber(place), tonumber(patience_ms))
  elseif due and due > now then
    set_status(id, queue, "", "DELAYED", "due", string.format("%d", due), unpack(fields))
    more().delay(id, due)
  elseif not (further.ttl or further.priority or is_governed(queue)) then
    local celery_queue = environment .. "." .. class
    if further.waiter then
      celery_queue = more().shared_queue(class, further.waiter, further.prefers, task)
    end
    set_status(id, queue, "", "QUEUED", "order", place, "reservation", "1", "ticket", celery_queue, unpack(fields))
    publish(id, { task, payload, args ~= "" and args }, 1, celery_queue, false)
  else
    local order = string.format("%.0f", tonumber(place) - tonumber(further.priority or "0"))
    redis.call("HSET", key, "order", order, unpack(fields))
    more().enqueue(id, false)
  end
  return 1, id
end

-- Somebody waits for an older run from now on: it starts where such runs do. What is reserved for it stays until that is
-- withdrawn, see withdraw_reservations.
local function prefer(id, waiter)
  local key = run_key(id)
  local run = redis.call("HMGET", key, "task", "payload", "args", "status", "waiter", "queue", "class", "ckey", "ticket", "slot", "node")
  local queue, class, ticket = run[6], run[7], run[9]
  if not run[4] or run[5] or redis.call("HEXISTS", key, "finished") == 1 then
    return
  end
  local is_pending = run[4] == "QUEUED" and not ticket and not run[11]
  if is_pending then
    more().unpend(id, queue, class, run[8] or "")
  end
  redis.call("HSET", key, "waiter", waiter)
  if is_pending then
    more().enqueue(id, false)
  elseif run[4] == "QUEUED" and ticket and not run[10] and more().shared_queue(class, waiter) ~= ticket then
    withdraw(id)
    reserve(id, run, more().shared_queue(class, waiter), false)
  end
end

local function make_run(at)
  local code, id = make_one(at)
  local waiter = code == 2 and ARGV[at + 12]:find('"waiter"', 1, true) and cjson.decode(ARGV[at + 12]).waiter
  if waiter then -- an older run, or a repeated call: its end counts as well
    more().add_waiter(id, waiter)
    prefer(id, waiter)
  end
  return code, id
end
