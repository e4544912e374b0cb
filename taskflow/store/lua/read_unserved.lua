-- Read what waits for a worker that is not there: tasks and queues that none has registered, and classes that none serves.
-- Derives :awaited, :awaiting:<kind>:<name>, :ticket_queues, :tickets:<Celery queue>, :serving:<Celery queue>, :nodes,
--   :node:<id>, :queues.
-- Returns {1, {list of {"task:<id>", "queue:<name>" or "code:<task>", runs that wait},
--   list of {class, runs of governed queues that wait}, list of {Celery queue, runs whose tickets stand there}}}.
local unregistered = {}
for _, awaited in ipairs(redis.call("SMEMBERS", base .. ":awaited")) do
  local waiting = redis.call("ZCARD", base .. ":awaiting:" .. awaited)
  if waiting > 0 then
    unregistered[#unregistered + 1] = { awaited, waiting }
  end
end
local served = {}
for _, id in ipairs(redis.call("ZRANGEBYSCORE", base .. ":nodes", now, "+inf")) do
  local node = fields(base .. ":node:" .. id, "queues", "classes")
  for _, class in ipairs(node.queues and cjson.decode(node.classes) or {}) do
    served[class] = true
  end
end
local unserved = {}
for _, queue in ipairs(redis.call("SMEMBERS", base .. ":queues")) do
  for _, pending_class in ipairs(redis.call("SMEMBERS", queue_key(queue) .. ":classes")) do
    local class = class_of(pending_class)
    if not is_held_class(pending_class) and not served[class] then
      unserved[#unserved + 1] = { class, tonumber(redis.call("GET", queue_key(queue) .. ":count:" .. pending_class) or "0") }
    end
  end
end
local stranded = {}
for _, celery_queue in ipairs(redis.call("ZRANGE", base .. ":ticket_queues", 0, -1)) do
  local waiting = redis.call("ZCARD", base .. ":tickets:" .. celery_queue)
  if waiting > 0 and redis.call("EXISTS", base .. ":serving:" .. celery_queue) == 0 then
    stranded[#stranded + 1] = { celery_queue, waiting }
  end
end
return { 1, { unregistered, unserved, stranded }, outbox }
