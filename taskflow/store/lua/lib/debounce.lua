-- Put off a delayed run with the same debounce key instead of making another. Derives :debounce:<task>:<digest>, :run:<id>.

-- `call` has the values of the new trigger by field, "" for a field to remove, and `further` as in make.
local function replace_with_call(key, call)
  local further = call.further
  local values = {
    payload = call.payload, args = call.args, class = call.class, max_attempts = call.max_attempts, tags = call.tags,
    metadata = further.metadata or "", max_duration = further.max_duration or "", trace = further.trace or "",
  }
  if further.foreign then -- a worker registers these two, or has registered them
    values.class, values.max_attempts = nil, nil
  end
  for name, value in pairs(values) do
    if value == "" then
      redis.call("HDEL", key, name)
    else
      redis.call("HSET", key, name, value)
    end
  end
end

-- `options` has key, trailing and max_delay (ms, or null). Returns the id of the run that was put off, nothing when the run
-- `id` takes the key and is to be made.
local function debounce(id, options, call)
  local holder_key = base .. ":debounce:" .. options.key
  local holder = redis.call("GET", holder_key)
  local due = now + tonumber(call.due)
  if holder then
    local run = fields(run_key(holder), "status", "created", "due")
    local is_within = options.max_delay == cjson.null or run.created and due <= tonumber(run.created) + options.max_delay
    if (run.status == "DELAYED" or run.status == "PENDING_VERSION") and is_within then
      if due > tonumber(run.due) then
        redis.call("HSET", run_key(holder), "due", string.format("%d", due))
        if run.status == "DELAYED" then
          delay_run(holder, due)
        end
      end
      if options.trailing then
        replace_with_call(run_key(holder), call)
      end
      return holder
    end
  end
  redis.call("SET", holder_key, id)
  redis.call("HSET", run_key(id), "debounce", options.key)
end
