-- Keep what dispatching needs to know of the tasks and queues that this process declares.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- ARGV[7] 1 from a worker, whose word replaces older ones; 0 from a trigger, which only adds
--   [8] JSON object of task id to ticket template  [9] JSON object of queue to its limits as JSON, "" for none
--   [10] JSON object of task id to whether it has final hooks  [11] JSON of the environment's limit and burst or ""
--   [12] JSON object of task id to what a worker registers of it, itself as JSON  [13] JSON object of task id to the JSON
--   Schema of its payload
-- Derives :templates, :tasks, :schemas, :queues, :queue:<queue>, :hooks, :environment, :awaiting:<task or queue>.
-- Returns {1, how many of the tasks a worker has registered}.
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
for task, told in pairs(cjson.decode(ARGV[12])) do
  redis.call("HSET", base .. ":tasks", task, told)
  awaken("task:" .. task)
end
for task, schema in pairs(cjson.decode(ARGV[13])) do
  redis.call("HSET", base .. ":schemas", task, schema)
end
for queue, limits in pairs(cjson.decode(ARGV[9])) do
  local is_known = redis.call("EXISTS", queue_key(queue)) == 1
  if limits ~= "" or (is_worker and is_known) then
    declare_limits(queue, limits == "" and {} or cjson.decode(limits), is_worker)
    rouse(queue)
  end
  if redis.call("SADD", base .. ":queues", queue) == 1 then
    awaken("queue:" .. queue)
  end
end
local registered = 0
for task in pairs(cjson.decode(ARGV[8])) do
  registered = registered + redis.call("HEXISTS", base .. ":tasks", task)
end
return { 1, registered, outbox }
