-- Publish a ticket: push Celery's own message onto the broker's list, or leave it to the caller.
-- Derives :templates and the broker's list <prefix><Celery queue>, which is outside the hash tag (one server, no cluster).
local ARGS_SHOWN = 1000
local templates = {} -- a script that makes many runs asks once for each task's

local function shown_args(payload, redacted)
  local args = redacted or payload or ""
  if #args > ARGS_SHOWN then
    args = args:sub(1, ARGS_SHOWN):gsub("[\194-\244][\128-\191]*$", "") .. "..."
  end
  return args
end

-- `run` is {task, payload, redacted args}. `is_front` puts it before what waits in the list already.
local function push(id, run, reservation, queue, is_front)
  local args = shown_args(run[2], run[3])
  local task = run[1]
  templates[task] = templates[task] or delivery ~= "" and redis.call("HGET", base .. ":templates", task)
  local template = templates[task]
  if not template then
    outbox[#outbox + 1] = { id, task, reservation, queue, args }
    return
  end
  local message = template:gsub("@(%u+)@", {
    RUN = id,
    RESERVATION = tostring(reservation),
    QUEUE = queue,
    TAG = string.format("%s:%d:%.0f", id, reservation, now_us),
    ARGS = cjson.encode(args),
  })
  redis.call(is_front and "RPUSH" or "LPUSH", delivery:sub(2) .. queue, message)
end
