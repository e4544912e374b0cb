-- Keep what dispatching needs to know of the tasks and queues that this process declares.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- ARGV[7] 1 from a worker, whose word replaces older ones; 0 from a trigger, which only adds
--   [8] JSON object of task id to ticket template  [9] JSON object of queue to its limits as JSON, "" for none
--   [10] JSON object of task id to whether it has final hooks  [11] JSON of the environment's limit and burst or ""
-- Derives :templates, :queues, :queue:<queue>, :hooks, :environment.
-- Returns {1, how many queues were declared}.
local is_worker = ARGV[7] == "1"
for task, template in pairs(cjson.decode(ARGV[8])) do
  redis.call("HSET", base .. ":templates", task, template)
end
for task, has_hooks in pairs(cjson.decode(ARGV[10])) do
  if has_hooks or is_worker then
    redis.call(has_hooks and "SADD" or "SREM", base .. ":hooks", task)
  end
end
if is_worker then
  redis.call("HDEL", base .. ":environment", "limit", "burst")
  for name, value in pairs(cjson.decode(ARGV[11])) do
    redis.call("HSET", base .. ":environment", name, value)
  end
end
local declared = 0
for queue, limits in pairs(cjson.decode(ARGV[9])) do
  local is_known = redis.call("EXISTS", queue_key(queue)) == 1
  if limits ~= "" or (is_worker and is_known) then
    declare_limits(queue, limits == "" and {} or cjson.decode(limits), is_worker)
    rouse(queue)
  end
  redis.call("SADD", base .. ":queues", queue)
  declared = declared + 1
end
return { 1, declared, outbox }
