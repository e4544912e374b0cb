-- Put off a delayed run of the same key instead of making another. Derives :debounce:<task>:<digest>, :delayed.
-- Uses the call's arguments from `at` on, see make.lua. Returns the id of the run that was put off; otherwise `id` takes the key.
local function replace_with_call(key, at)
  local further = ARGV[at + 12] ~= "" and cjson.decode(ARGV[at + 12]) or {}
  local given = {
    payload = ARGV[at + 2], args = ARGV[at + 3], class = ARGV[at + 6], max_attempts = ARGV[at + 7], tags = ARGV[at + 8],
    metadata = further.metadata or "", max_duration = further.max_duration or "",
  }
  if further.foreign then -- what a worker has said of the task, or will say, counts
    given.class, given.max_attempts = nil, nil
  end
  for name, value in pairs(given) do
    if value == "" then
      redis.call("HDEL", key, name)
    else
      redis.call("HSET", key, name, value)
    end
  end
end

local function debounce(id, told, at)
  local holder_key = base .. ":debounce:" .. told.key
  local holder = redis.call("GET", holder_key)
  local due = now + tonumber(ARGV[at + 9])
  if holder then
    local run = redis.call("HMGET", run_key(holder), "status", "created", "due")
    local is_within = told.max_delay == cjson.null or run[2] and due <= tonumber(run[2]) + told.max_delay
    if (run[1] == "DELAYED" or run[1] == "PENDING_VERSION") and is_within then
      if due > tonumber(run[3]) then
        redis.call("HSET", run_key(holder), "due", string.format("%d", due))
        if run[1] == "DELAYED" then
          delay(holder, due)
        end
      end
      if told.trailing then
        replace_with_call(run_key(holder), at)
      end
      return holder
    end
  end
  redis.call("SET", holder_key, id)
  redis.call("HSET", run_key(id), "debounce", told.key)
end
