-- Pause, resume or limit a queue, or the whole environment when the queue is "".
-- ARGV[7] queue or ""  [8] command: "pause", "resume", "override" or "reset"  [9] limit of an override
--   [10] by: who asks  [11] note: why, "" for nothing
-- Derives :queue:<queue>, :queues, :environment, :load.
-- Returns {1, 1} when done, {0, "MISSING"} for a queue that was never declared and that no run has used.
local key = queue == "" and base .. ":environment" or queue_key(queue)
if queue ~= "" and redis.call("SISMEMBER", base .. ":queues", queue) == 0 then
  if not redis.call("HGET", base .. ":load", "queued:" .. queue) then
    return { 0, "MISSING", outbox }
  end
  redis.call("SADD", base .. ":queues", queue)
end
if command == "pause" then
  redis.call("HSET", key, "paused", now, "paused_by", by, "paused_note", note)
elseif command == "resume" then
  redis.call("HDEL", key, "paused", "paused_by", "paused_note")
elseif command == "override" then
  redis.call("HSET", key, "override", limit, "overridden", now, "overridden_by", by)
else
  redis.call("HDEL", key, "override", "overridden", "overridden_by")
end
if queue ~= "" and command ~= "pause" then
  rouse(queue)
end
return { 1, 1, outbox }
