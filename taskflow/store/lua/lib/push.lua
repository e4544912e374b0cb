-- Push a ticket, Celery's own message, onto the broker's list, or leave it to the caller.
-- Derives :templates and the broker's list <prefix><Celery queue>, which is outside the hash tag (one server, not a cluster).
local ARGS_SHOWN = 1000
local cut_templates = {} -- outlives the call, because the pieces of a template depend on its text alone

local function shown_args(payload, redacted)
  local args = redacted or payload or ""
  if #args > ARGS_SHOWN then
    args = args:sub(1, ARGS_SHOWN):gsub("[\194-\244][\128-\191]*$", "") .. "..."
  end
  return args
end

-- Returns a template's pieces: text at odd indices, the name of the token behind it at even ones.
local function cut_template(template)
  local pieces, rest = cut_templates[template], 1
  if pieces then
    return pieces
  end
  pieces = {}
  for text, token, after in template:gmatch("(.-)@(%u+)@()") do
    pieces[#pieces + 1], pieces[#pieces + 2], rest = text, token, after
  end
  pieces[#pieces + 1] = template:sub(rest)
  cut_templates[template] = pieces
  return pieces
end

-- Returns a text as it stands between the quotes of a JSON string. An adopted run's id may be any text.
local function json_part(text)
  return text:find('[%c"\\]') and cjson.encode(text):sub(2, -2) or text
end

local function fill_template(template, values)
  local filled = {}
  for index, piece in ipairs(cut_template(template)) do
    filled[index] = index % 2 == 1 and piece or values[piece]
  end
  return table.concat(filled)
end

-- Add trace headers (a JSON object of texts) to a ticket's headers, before the one that makes it a ticket: as headers of
-- their own and as the header "headers", because tracers read either. No other text of a message has these quotes.
local MARK = '"taskflow":{"reservation":'
local function add_trace(message, trace)
  local at = message:find(MARK, 1, true)
  return at and message:sub(1, at - 1) .. trace:sub(2, -2) .. ',"headers":' .. trace .. "," .. message:sub(at) or message
end

-- `run` has a task, a payload, redacted args when its payload is not to be shown, and trace headers if there are any.
-- `is_front`: before all other tickets.
local function push(id, run, reservation, queue, is_front)
  local args = shown_args(run.payload, run.args)
  local task = run.task
  local name = "template:" .. task -- read once a call, because a script may make many runs
  memo[name] = memo[name] or delivery ~= "" and redis.call("HGET", base .. ":templates", task)
  local template = memo[name]
  if not template then
    outbox[#outbox + 1] = { id, task, reservation, queue, args, run.trace or "" }
    return
  end
  local message = fill_template(template, {
    RUN = json_part(id),
    RESERVATION = reservation,
    QUEUE = json_part(queue),
    TAG = json_part(id) .. ":" .. reservation .. ":" .. now_us_text,
    ARGS = cjson.encode(args),
  })
  if run.trace then
    message = add_trace(message, run.trace)
  end
  redis.call(is_front and "RPUSH" or "LPUSH", delivery:sub(2) .. queue, message)
end
