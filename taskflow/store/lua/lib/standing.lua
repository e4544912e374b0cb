-- Facts about why a run does not start or go on, as texts by name. Nothing is written for them at any other time.
-- Derives :run:<id>, :environment, :environment:slots, :nodes, :node:<id>, :node:<id>:runs, :serving:<Celery queue>, :refusals,
-- :timers, :tasks, :queues, :waits:<run>.
local function add_facts(facts, values)
  for name, value in pairs(values) do
    if value then
      facts[#facts + 1], facts[#facts + 2] = name, tonumber(value) == value and string.format("%.0f", value) or value
    end
  end
end

-- Add the classes that nodes which are up serve, and the versions of their code, one a line. They are read once a call.
local function add_nodes(facts)
  if memo.nodes then
    add_facts(facts, memo.nodes)
    return
  end
  local classes, versions = {}, {}
  for _, node in ipairs(redis.call("ZRANGEBYSCORE", base .. ":nodes", now, "+inf")) do
    local known = fields(base .. ":node:" .. node, "queues", "classes", "description")
    for _, class in ipairs(known.queues and cjson.decode(known.classes) or {}) do
      classes[class] = true
    end
    versions[cjson.decode(known.description or "{}").version or ""] = true
  end
  local lists = {}
  for name, set in pairs({ classes = classes, versions = versions }) do
    local list = {}
    for member in pairs(set) do
      list[#list + 1] = member
    end
    table.sort(list)
    lists[name] = table.concat(list, "\n")
  end
  memo.nodes = lists
  add_facts(facts, lists)
end

-- Add why a node that is up cannot serve a task that its code declares.
local function add_fault(facts, task)
  for _, node in ipairs(redis.call("ZRANGEBYSCORE", base .. ":nodes", now, "+inf")) do
    local described = cjson.decode(redis.call("HGET", base .. ":node:" .. node, "description") or "{}")
    local fault = described.faults and described.faults[task]
    if fault then
      add_facts(facts, { fault = fault, fault_node = node })
      return
    end
  end
end

-- Add how many runs the nodes that could start a run may execute, and how many they do.
local function add_room(facts, id, run)
  local slots, busy, seen = 0, 0, {}
  for _, celery_queue in ipairs({ run.ticket or "", unpack(candidates(order_class(id, run.class), run.queue, id)) }) do
    for _, node in ipairs(redis.call("HKEYS", base .. ":serving:" .. celery_queue)) do
      if not seen[node] then
        seen[node] = true
        slots = slots + tonumber(redis.call("HGET", base .. ":serving:" .. celery_queue, node))
        busy = busy + redis.call("HLEN", base .. ":node:" .. node .. ":runs")
      end
    end
  end
  local refusal = run.ticket and redis.call("HGET", base .. ":refusals", run.ticket)
  add_facts(facts, { node_slots = slots, node_runs = busy, refusal = refusal })
end

-- Add a run's place among the runs of its concurrency key that have no slot, from 1, and how many these are.
local function add_place(facts, id, run, concurrency_key)
  local mine = run.node and held_class(run.node) or order_class(id, run.class)
  local order = redis.call("ZSCORE", pending_key(run.queue, mine, concurrency_key), id)
  local before, waiting = 0, 0
  for _, pending_class in ipairs(order and redis.call("SMEMBERS", queue_key(run.queue) .. ":classes") or {}) do
    local key = pending_key(run.queue, pending_class, concurrency_key)
    before = before + redis.call("ZCOUNT", key, "-inf", "(" .. order)
    waiting = waiting + redis.call("ZCARD", key)
  end
  add_facts(facts, { place = order and before + 1, waiting = order and waiting })
end

local function add_queue(facts, id, run)
  local queue, concurrency_key = run.queue, run.ckey or ""
  local own = fields(queue_key(queue), "paused", "paused_by", "paused_note", "override")
  local whole = fields(base .. ":environment", "paused", "paused_by", "paused_note")
  add_facts(facts, {
    paused = own.paused, paused_by = own.paused_by, paused_note = own.paused_note, all_paused = whole.paused,
    all_paused_by = whole.paused_by, all_paused_note = whole.paused_note,
  })
  if is_governed(queue) then
    local limits = read_limits(queue)
    local wait = rate_wait(queue, limits, concurrency_key)
    local most = concurrency_key == "" and limits.limit or limits.per_key
    add_facts(facts, {
      limit = most < math.huge and most, used = slots_used(queue, concurrency_key), override = own.override,
      total = limits.total, total_used = redis.call("SCARD", queue_key(queue) .. ":slots"), rate_wait = wait > 0 and wait / 1000,
      environment = limits.environment, environment_used = redis.call("SCARD", base .. ":environment:slots"),
      rate = limits.rate, period = limits.rate and limits.period / 1000,
    })
    add_place(facts, id, run, concurrency_key)
  end
  add_room(facts, id, run)
end

-- Returns the facts about a run whose record has the given fields.
local function facts_of(id, run)
  local facts = {}
  add_facts(facts, { now = now })
  if run.status == "QUEUED" then
    add_queue(facts, id, run)
    add_nodes(facts)
  elseif run.status == "PENDING_VERSION" then
    add_nodes(facts)
    add_fault(facts, run.task)
    add_facts(facts, {
      patience = redis.call("ZSCORE", base .. ":timers", "patience:" .. id),
      tasks = table.concat(redis.call("HKEYS", base .. ":tasks"), "\n"),
      queues = table.concat(redis.call("SMEMBERS", base .. ":queues"), "\n"),
    })
  elseif run.status == "EXECUTING" then
    add_facts(facts, { lease_end = redis.call("ZSCORE", base .. ":nodes", run.node) or 0 })
  end
  return facts
end

-- Returns the fields of a run's waits, without the values of their items.
local function open_waits(id)
  local waits, heads = redis.call("HGETALL", waits_key(id)), {}
  for index = 1, #waits, 2 do
    if waits[index]:find(":%a+$") then
      heads[#heads + 1], heads[#heads + 2] = waits[index], waits[index + 1]
    end
  end
  return heads
end

-- Returns {run id, {field, value, ...}, {fact, text, ...}, {field, value, ...} of its waits} of a run that has not ended,
-- without payload, output and earlier attempts; else nothing.
local STANDING = {
  "status", "task", "queue", "class", "created", "max_attempts", "ckey", "started", "due", "attempt", "attempt_started",
  "claim", "node", "slot", "ticket", "waiter", "prefers", "debounce", "awaiting", "settled", "misfit", "priority", "order",
  "waits", "finished", "tags", "version",
}

local function standing_of(id)
  local values, run, flat = redis.call("HMGET", run_key(id), unpack(STANDING)), {}, {}
  for index, name in ipairs(STANDING) do
    if values[index] then
      run[name] = values[index]
      flat[#flat + 1], flat[#flat + 2] = name, values[index]
    end
  end
  if not run.status or run.finished then
    return
  end
  local last = run.status == "REATTEMPTING" and redis.call("HGET", run_key(id), "attempt:" .. (run.attempt or "0"))
  if last then
    flat[#flat + 1], flat[#flat + 2] = "attempt:" .. run.attempt, last
  end
  return { id, flat, facts_of(id, run), run.waits and open_waits(id) or {} }
end
