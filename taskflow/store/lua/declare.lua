-- Keep what dispatching needs to know of the tasks and queues that this process declares.
-- include: push reserve dispatch
-- ARGV[7] 1 from a worker, whose limits replace older ones; 0 from a trigger, which only adds
--   [8] JSON object of task id to ticket template  [9] JSON object of queue to limit, 0 for none
-- Derives :templates, :queues, :queue:<queue>.
-- Returns {1, how many queues were declared}.
for task, template in pairs(cjson.decode(ARGV[8])) do
  redis.call("HSET", base .. ":templates", task, template)
end
local declared = 0
for queue, limit in pairs(cjson.decode(ARGV[9])) do
  local key = base .. ":queue:" .. queue
  if limit > 0 then
    redis.call(ARGV[7] == "1" and "HSET" or "HSETNX", key, "limit", limit)
    redis.call("SADD", base .. ":queues", queue)
  elseif ARGV[7] == "1" then
    redis.call("HDEL", key, "limit")
  end
  dispatch(queue)
  declared = declared + 1
end
return { 1, declared, outbox }
