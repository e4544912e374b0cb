-- Read a run's whole record, and what a person asks about it: why it does not start or go on, its steps and its waits.
-- ARGV[7] id of the run
-- Derives :run:<id>, :journal:<run>, :children:<run>.
-- Returns {1, {{field, value, ...}, {name of a fact, text, ...}, {key, entry, ...} of its journal with values of 1000
--   characters at most, {field, value, ...} of its waits without the values of items, {{id, status, waiter} of live children, 100 at most}}},
--   {0, "MISSING"}.
local SHOWN, CHILDREN = 1000, 100
local record = redis.call("HGETALL", run_key(id))
if #record == 0 then
  return { 0, "MISSING", outbox }
end
local run = {}
for index = 1, #record, 2 do
  run[record[index]] = record[index + 1]
end
local facts, journal, heads = facts_of(id, run), {}, {}
if run.waits or run.durable then
  journal, heads = redis.call("HGETALL", base .. ":journal:" .. id), open_waits(id)
end
for index = 2, #journal, 2 do
  local head = journal[index]:find("\n", 1, true) or #journal[index]
  journal[index] = journal[index]:sub(1, head + SHOWN)
end
local children = redis.call("SRANDMEMBER", base .. ":children:" .. id, CHILDREN)
for index, child in ipairs(children) do
  local known = fields(run_key(child), "status", "waiter")
  children[index] = { child, known.status or "", known.waiter or "" }
end
return { 1, { record, facts, journal, heads, children }, outbox }
