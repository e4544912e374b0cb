-- Pause, resume or limit a queue, or the whole environment when no queue is named.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- ARGV[7] queue or ""  [8] "pause", "resume", "override" or "reset"  [9] the limit of an override
-- Derives :queue:<queue>, :queues, :environment, :load.
-- Returns {1, 1} when done, {0, "MISSING"} for a queue that nobody has declared and no run has used.
local queue, order = ARGV[7], ARGV[8]
local key = queue == "" and base .. ":environment" or queue_key(queue)
if queue ~= "" and redis.call("SISMEMBER", base .. ":queues", queue) == 0 then
  if not redis.call("HGET", base .. ":load", "queued:" .. queue) then
    return { 0, "MISSING", outbox }
  end
  redis.call("SADD", base .. ":queues", queue)
end
if order == "pause" then
  redis.call("HSET", key, "paused", now)
elseif order == "resume" then
  redis.call("HDEL", key, "paused")
elseif order == "override" then
  redis.call("HSET", key, "override", ARGV[9], "overridden", now)
else
  redis.call("HDEL", key, "override", "overridden")
end
if queue ~= "" and order ~= "pause" then
  rouse(queue)
end
return { 1, 1, outbox }
