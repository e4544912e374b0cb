-- Publish a ticket: push Celery's own message onto the broker's list, or leave it to the caller.
-- Derives :templates and the broker's list <prefix><Celery queue>, which is outside the hash tag (one server, no cluster).
local ARGS_SHOWN = 1000
local cut_templates = {} -- outlives the call: what a template's text is cut into depends on nothing else

local function shown_args(payload, redacted)
  local args = redacted or payload or ""
  if #args > ARGS_SHOWN then
    args = args:sub(1, ARGS_SHOWN):gsub("[\194-\244][\128-\191]*$", "") .. "..."
  end
  return args
end

-- Returns the text between a template's tokens at odd places, and the tokens' names at even ones.
local function cut(template)
  local parts, place = cut_templates[template], 1
  if parts then
    return parts
  end
  parts = {}
  for text, token, after in template:gmatch("(.-)@(%u+)@()") do
    parts[#parts + 1], parts[#parts + 2], place = text, token, after
  end
  parts[#parts + 1] = template:sub(place)
  cut_templates[template] = parts
  return parts
end

local function fill_in(template, values)
  local filled = {}
  for place, part in ipairs(cut(template)) do
    filled[place] = place % 2 == 1 and part or values[part]
  end
  return table.concat(filled)
end

-- `run` is {task, payload, redacted args}. `is_front` puts it before what waits in the list already.
local function push(id, run, reservation, queue, is_front)
  local args = shown_args(run[2], run[3])
  local task = run[1]
  local known = "template:" .. task -- a script that makes many runs asks once
  memo[known] = memo[known] or delivery ~= "" and redis.call("HGET", base .. ":templates", task)
  local template = memo[known]
  if not template then
    outbox[#outbox + 1] = { id, task, reservation, queue, args }
    return
  end
  local message = fill_in(template, {
    RUN = id,
    RESERVATION = reservation,
    QUEUE = queue,
    TAG = id .. ":" .. reservation .. ":" .. now_us_text,
    ARGS = cjson.encode(args),
  })
  redis.call(is_front and "RPUSH" or "LPUSH", delivery:sub(2) .. queue, message)
end
