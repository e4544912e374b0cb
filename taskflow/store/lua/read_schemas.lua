-- Read the tasks that workers have registered, with the JSON Schemas of their payloads.
-- Derives :tasks, :schemas.
-- Returns {1, list of {task id, JSON Schema or ""}}.
local tasks = redis.call("HKEYS", base .. ":tasks")
local found = {}
for index, task in ipairs(tasks) do
  found[index] = { task, redis.call("HGET", base .. ":schemas", task) or "" }
end
return { 1, found, outbox }
