-- Read the nodes that hold a lease, and what workers have registered.
-- Derives :nodes, :node:<id>, :tasks.
-- Returns {1, {list of {node id, its Celery queues as JSON, description JSON, since ms}, list of {task id, JSON}}}.
local nodes, tasks = {}, {}
for _, node in ipairs(redis.call("ZRANGEBYSCORE", base .. ":nodes", now, "+inf")) do
  local found = redis.call("HMGET", base .. ":node:" .. node, "queues", "description", "since")
  nodes[#nodes + 1] = { node, found[1] or "[]", found[2] or "{}", found[3] or "0" }
end
local known = redis.call("HGETALL", base .. ":tasks")
for place = 1, #known, 2 do
  tasks[#tasks + 1] = { known[place], known[place + 1] }
end
return { 1, { nodes, tasks }, outbox }
