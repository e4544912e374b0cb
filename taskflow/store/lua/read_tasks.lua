-- Read the tasks that workers have registered, with what people read of their declarations.
-- ARGV[7] task, "" for all
-- Derives :tasks, :task_details, :schemas.
-- Returns {1, list of {task id, registration JSON, details JSON or "", JSON Schema of the payload: for one task only, else ""}}.
local registered, rows = {}, {}
if task == "" then
  registered = redis.call("HGETALL", base .. ":tasks")
else
  registered = { task, redis.call("HGET", base .. ":tasks", task) or nil }
end
for index = 1, #registered - 1, 2 do
  local schema = task ~= "" and redis.call("HGET", base .. ":schemas", task) or ""
  local detail = redis.call("HGET", base .. ":task_details", registered[index]) or ""
  rows[#rows + 1] = { registered[index], registered[index + 1], detail, schema or "" }
end
return { 1, rows, outbox }
