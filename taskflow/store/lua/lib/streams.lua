-- Expire a run's streams with the run. Derives :streams:<run>, :stream:<run>:<name>, :input:<run>:<name>.

-- The message on each stream's channel has readers look once more, and learn that nothing follows.
local function expire_streams(id, ms)
  local states = base .. ":streams:" .. id
  for _, name in ipairs(redis.call("HKEYS", states)) do
    redis.call("PEXPIRE", base .. ":" .. name, ms)
    redis.call("PUBLISH", base .. ":" .. name, "")
  end
  redis.call("PEXPIRE", states, ms)
end
