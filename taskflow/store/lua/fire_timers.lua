-- Do what is due: expire runs that waited too long, stop those that computed too long, go on with queues at their rate,
-- end waits and tokens, start runs whose task or queue was registered.
-- ARGV[7] most: at most how many timers
-- Derives :timers, :run:<id>.
-- Returns {1, how many timers fired}: as many as asked for means that more may be due.
local function error_json(kind, text, ms)
  return cjson.encode({ type = kind, message = string.format(text, tonumber(ms) / 1000), traceback = "" })
end

local function fire_ttl(id)
  local run = fields(run_key(id), "status", "expires", "ttl")
  if run.status == "QUEUED" and run.expires and tonumber(run.expires) <= now then
    end_run(id, "EXPIRED", error_json("Expired", "Run expired because the TTL (%g s) was reached.", run.ttl))
  end
end

local function fire_stop(id)
  local run = fields(run_key(id), "status", "attempt_started", "max_duration", "resumed", "computed")
  if run.status ~= "EXECUTING" or not run.max_duration then
    return
  end
  local began = tonumber(run.resumed or run.attempt_started)
  if began + tonumber(run.max_duration) - tonumber(run.computed or "0") <= now then
    local text = "The attempt computed for longer than max_duration (%g s)."
    end_run(id, "TIMED_OUT", error_json("TimedOut", text, run.max_duration))
  end
end

local function fire_rate(rest)
  local queue, concurrency_key = rest:match("^(.-)\n(.*)$")
  if has_pending(queue, concurrency_key) then
    give_turn(queue, concurrency_key)
    dispatch(queue)
  end
end

local function fire_wait(rest)
  local id, wait = rest:match("^(.*)\n(.-)$")
  deliver(id, wait, "0", "null")
end

local fire = {
  ttl = fire_ttl, stop = fire_stop, rate = fire_rate, look = dispatch, wait = fire_wait, token = fire_token,
  patience = lose_patience,
  room = function(class) unblock(class, 100) end,
  task = function(name) start_registered("task", name) end,
  queue = function(name) start_registered("queue", name) end,
  code = start_misfits,
}
local due = redis.call("ZRANGEBYSCORE", base .. ":timers", "-inf", now, "LIMIT", 0, tonumber(most))
for _, member in ipairs(due) do
  clear_timer(member)
  local kind, rest = member:match("^(%a+):(.*)$")
  fire[kind](rest)
end
return { 1, #due, outbox }
