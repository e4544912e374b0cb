-- End a run for good. Derives :live, :finished, :finishes, :effects, :key:<task>:<digest>, :debounce:<task>:<digest>,
-- :children:<run>, :canvas.
local FINISHES_KEPT = "10000"
local CANVAS_MS = 2000

local function free_keys(id, status, idempotency, key_ttl, debounced)
  local name = idempotency and base .. ":key:" .. idempotency
  if name and redis.call("GET", name) == id then -- a key that was reset may be another run's
    if status == "COMPLETED" or status == "CANCELED" then
      redis.call("PEXPIRE", name, math.min(tonumber(key_ttl or "inf"), retention_ms))
    else
      redis.call("DEL", name)
    end
  end
  if debounced and redis.call("GET", base .. ":debounce:" .. debounced) == id then
    redis.call("DEL", base .. ":debounce:" .. debounced)
  end
end

-- Give the run its final status, with further fields.
local function close_run(id, status, ...)
  local key = run_key(id)
  local run = fields(
    key, "queue", "status", "ttl", "max_duration", "parent", "idempotency", "key_ttl", "debounce", "canvas", "waits",
    "waited", "streams", "durable", "schedule"
  )
  set_status(id, run.queue, run.status, status, "finished", now_text, ...)
  redis.call(
    "HDEL", key, "nonce", "republished", "order", "expires", "settled", "parked", "resumed", "computed", "unloading", "ready",
    "awaiting", "doubts", "foreign", "misfit", "refused"
  )
  if run.ttl then
    clear_timer("ttl:" .. id)
  end
  if run.max_duration then
    clear_timer("stop:" .. id)
  end
  if run.parent then
    redis.call("SREM", base .. ":children:" .. run.parent, id)
  end
  if status == "CANCELED" then -- an effect cancels its children, which may be on other shards
    redis.call("SADD", base .. ":effects", "cancel-children:" .. id)
  end
  redis.call("ZREM", base .. ":live", id)
  redis.call("ZADD", base .. ":finished", now_text, id)
  redis.call("XADD", base .. ":finishes", "MAXLEN", "~", FINISHES_KEPT, "*", "run", id, "status", status)
  redis.call("PEXPIRE", key, retention_text)
  if run.streams then
    expire_streams(id, retention_text)
  end
  if run.canvas then -- the caller honours the Celery canvas at once if it is a node; upkeep does so later
    local is_nodeless = status == "CANCELED" or status == "EXPIRED"
    outbox[#outbox + 1] = { id }
    redis.call("ZADD", base .. ":canvas", is_nodeless and now or now + CANVAS_MS, id)
    if is_nodeless then
      wake(now)
    end
  end
  if run.durable and status ~= "COMPLETED" then
    end_waits(id)
    expire_journal(id, retention_text)
  elseif run.waits then
    drop_waits(id)
  end
  if run.waited then
    notify_waiters(id)
  end
  if run.schedule then
    resume_schedule(run.schedule, id)
  end
  if run.idempotency or run.debounce then
    free_keys(id, status, run.idempotency, run.key_ttl, run.debounce)
  end
end
