-- Runs that wait for a task, a queue or code that no worker has registered, and the names of what they wait for.
-- Derives :awaiting:<kind>:<name> (runs by instant), :awaited. `awaited`: "task:<task>", "queue:<queue>" or "code:<task>".
local function await_registration(awaited, id, since)
  redis.call("ZADD", base .. ":awaiting:" .. awaited, since, id)
  redis.call("SADD", base .. ":awaited", awaited)
end

local function stop_awaiting(awaited, id)
  redis.call("ZREM", base .. ":awaiting:" .. awaited, id)
  if redis.call("EXISTS", base .. ":awaiting:" .. awaited) == 0 then
    redis.call("SREM", base .. ":awaited", awaited)
  end
end
