-- Put off a delayed run of the same key instead of making another. Derives :debounce:<task>:<digest>, :delayed.
-- Uses ARGV of trigger_run. Returns the id of the run that was put off; otherwise `id` takes the key.
local function replace_with_call(key)
  local further = ARGV[19] ~= "" and cjson.decode(ARGV[19]) or {}
  local given = {
    payload = ARGV[9], args = ARGV[10], class = ARGV[13], max_attempts = ARGV[14], tags = ARGV[15],
    metadata = further.metadata or "", max_duration = further.max_duration or "",
  }
  for name, value in pairs(given) do
    if value == "" then
      redis.call("HDEL", key, name)
    else
      redis.call("HSET", key, name, value)
    end
  end
end

local function debounce(id, told)
  local holder_key = base .. ":debounce:" .. told.key
  local holder = redis.call("GET", holder_key)
  local due = now + tonumber(ARGV[16])
  if holder then
    local run = redis.call("HMGET", run_key(holder), "status", "created", "due")
    local is_within = told.max_delay == cjson.null or run[2] and due <= tonumber(run[2]) + told.max_delay
    if run[1] == "DELAYED" and is_within then
      if due > tonumber(run[3]) then
        redis.call("HSET", run_key(holder), "due", string.format("%d", due))
        delay(holder, due)
      end
      if told.trailing then
        replace_with_call(run_key(holder))
      end
      return holder
    end
  end
  redis.call("SET", holder_key, id)
  redis.call("HSET", run_key(id), "debounce", told.key)
end
