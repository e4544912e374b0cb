-- The summary of a run in lists: its record without payload, output and attempts. Derives :run:<id>.
local SUMMARY = {
  "task", "status", "queue", "created", "tags", "class", "max_attempts", "started", "finished", "due", "ckey", "test",
  "parent", "root", "batch", "schedule", "replay_of", "key", "version",
}

-- Returns {run id, field, value, ...}, nothing when the record has expired.
local function summary(id)
  local values, flat = redis.call("HMGET", run_key(id), unpack(SUMMARY)), { id }
  if not values[1] then
    return
  end
  for index, name in ipairs(SUMMARY) do
    if values[index] then
      flat[#flat + 1], flat[#flat + 2] = name, values[index]
    end
  end
  return flat
end
