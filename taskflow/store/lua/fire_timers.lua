-- Do what is due: expire runs that waited too long, stop those that computed too long, go on with queues at their rate,
-- end waits and tokens, start runs whose task or queue was registered.
-- include: event push reserve timers queue limits slots pending grant dispatch executing close release hooks cancel
-- more: enqueue waits tokens delay versions
-- ARGV[7] at most how many
-- Derives :timers, :run:<id>.
-- Returns {1, how many timers fired}: as many as asked for means that more may be due.
local function told(kind, what, text)
  return cjson.encode({ type = kind, message = what .. text, traceback = "" })
end

local function fire_ttl(id)
  local run = redis.call("HMGET", run_key(id), "status", "expires", "ttl")
  if run[1] == "QUEUED" and run[2] and tonumber(run[2]) <= now then
    local seconds = string.format("%g s", tonumber(run[3]) / 1000)
    end_run(id, "EXPIRED", told("Expired", "Run expired because the TTL (" .. seconds, ") was reached."))
  end
end

local function fire_stop(id)
  local run = redis.call("HMGET", run_key(id), "status", "attempt_started", "max_duration", "resumed", "computed")
  if run[1] == "EXECUTING" and run[3] and tonumber(run[4] or run[2]) + tonumber(run[3]) - tonumber(run[5] or "0") <= now then
    local seconds = string.format("%g s", tonumber(run[3]) / 1000)
    end_run(id, "TIMED_OUT", told("TimedOut", "The attempt computed for longer than max_duration (" .. seconds, ")."))
  end
end

local function fire_rate(rest)
  local queue, concurrency_key = rest:match("^(.-)\n(.*)$")
  if has_pending(queue, concurrency_key) then
    give_turn(queue, concurrency_key)
    dispatch(queue)
  end
end

local function fire_room(class)
  unblock(class, 100)
end

local function fire_wait(rest)
  local id, wait = rest:match("^(.-)\n(.*)$")
  more().deliver(id, wait, "0", "null")
end

local fire = {
  ttl = fire_ttl, stop = fire_stop, rate = fire_rate, room = fire_room, look = dispatch, wait = fire_wait,
  token = function(id) more().fire_token(id) end,
  patience = function(id) more().lose_patience(id) end,
  task = function(name) more().release("task", name) end,
  queue = function(name) more().release("queue", name) end,
}
local due = redis.call("ZRANGEBYSCORE", base .. ":timers", "-inf", now, "LIMIT", 0, tonumber(ARGV[7]))
for _, member in ipairs(due) do
  clear_timer(member)
  local kind, rest = member:match("^(%a+):(.*)$")
  fire[kind](rest)
end
return { 1, #due, outbox }
