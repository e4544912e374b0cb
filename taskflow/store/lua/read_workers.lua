-- Read the nodes that hold a lease, and the tasks that workers have registered.
-- Derives :nodes, :node:<id>, :tasks.
-- Returns {1, {list of {node id, its Celery queues as JSON, description JSON, since ms}, list of {task id, JSON}}}.
local nodes, tasks = {}, {}
for _, id in ipairs(redis.call("ZRANGEBYSCORE", base .. ":nodes", now, "+inf")) do
  local node = fields(base .. ":node:" .. id, "queues", "description", "since")
  nodes[#nodes + 1] = { id, node.queues or "[]", node.description or "{}", node.since or "0" }
end
local registrations = redis.call("HGETALL", base .. ":tasks")
for index = 1, #registrations, 2 do
  tasks[#tasks + 1] = { registrations[index], registrations[index + 1] }
end
return { 1, { nodes, tasks }, outbox }
