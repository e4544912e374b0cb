-- Keep the templates, hooks and limits of the tasks and queues that a process declares. A worker's replace older ones; a
-- trigger (which is not a worker) only adds.
-- ARGV[7] by_worker: 1, or 0 for a trigger
--   [8] templates: JSON object of task id to ticket template  [9] limits: JSON object of queue to its limits as JSON, or ""
--   [10] hooks: JSON object of task id to whether it has final hooks  [11] whole: JSON of the environment's limit and burst
--   [12] registrations: JSON object of task id to its registration as JSON  [13] schemas: JSON object of task id to the JSON
--   Schema of its payload  [14] details: JSON object of task id to what people read of its declaration, as JSON
-- Derives :templates, :tasks, :schemas, :task_details, :queues, :queue:<queue>, :hooks, :environment, :awaiting:<task or queue>.
-- Returns {1, how many of the tasks a worker has registered}.
local is_worker = by_worker == "1"
for task, template in pairs(cjson.decode(templates)) do
  redis.call("HSET", base .. ":templates", task, template)
end
for task, has_final_hooks in pairs(cjson.decode(hooks)) do
  if has_final_hooks or is_worker then
    redis.call(has_final_hooks and "SADD" or "SREM", base .. ":hooks", task)
  end
end
if is_worker then
  redis.call("HDEL", base .. ":environment", "limit", "burst")
  for name, value in pairs(cjson.decode(whole)) do
    redis.call("HSET", base .. ":environment", name, value)
  end
end
for task, registration in pairs(cjson.decode(registrations)) do
  redis.call("HSET", base .. ":tasks", task, registration)
  awaken("task:" .. task)
end
for task, schema in pairs(cjson.decode(schemas)) do
  redis.call("HSET", base .. ":schemas", task, schema)
end
for task, detail in pairs(cjson.decode(details)) do
  redis.call("HSET", base .. ":task_details", task, detail)
end
for queue, declared in pairs(cjson.decode(limits)) do
  local is_known = redis.call("EXISTS", queue_key(queue)) == 1
  if declared ~= "" or (is_worker and is_known) then
    declare_limits(queue, declared == "" and {} or cjson.decode(declared), is_worker)
    rouse(queue)
  end
  if redis.call("SADD", base .. ":queues", queue) == 1 then
    awaken("queue:" .. queue)
  end
end
local registered = 0
for task in pairs(cjson.decode(templates)) do
  registered = registered + redis.call("HEXISTS", base .. ":tasks", task)
end
return { 1, registered, outbox }
