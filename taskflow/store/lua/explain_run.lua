-- Read a run's whole record, and what a person asks about it: why it does not start or go on, its steps and its waits.
-- ARGV[7] id of the run
-- Derives :run:<id>, :journal:<run>, :waits:<run>, :children:<run>, :timers, :tasks, :queues, :nodes.
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
local facts = {}
add_facts(facts, { now = now })
if run.status == "QUEUED" then
  add_queue(facts, id, run)
  add_nodes(facts)
elseif run.status == "PENDING_VERSION" then
  add_nodes(facts)
  add_fault(facts, run.task)
  add_facts(facts, {
    patience = redis.call("ZSCORE", base .. ":timers", "patience:" .. id),
    tasks = table.concat(redis.call("HKEYS", base .. ":tasks"), "\n"),
    queues = table.concat(redis.call("SMEMBERS", base .. ":queues"), "\n"),
  })
elseif run.status == "EXECUTING" then
  add_facts(facts, { lease_end = redis.call("ZSCORE", base .. ":nodes", run.node) or 0 })
end
local journal, waits, heads = {}, {}, {}
if run.waits or run.durable then
  journal, waits = redis.call("HGETALL", base .. ":journal:" .. id), redis.call("HGETALL", waits_key(id))
end
for index = 2, #journal, 2 do
  local head = journal[index]:find("\n", 1, true) or #journal[index]
  journal[index] = journal[index]:sub(1, head + SHOWN)
end
for index = 1, #waits, 2 do
  if waits[index]:find(":%a+$") then
    heads[#heads + 1], heads[#heads + 2] = waits[index], waits[index + 1]
  end
end
local children = redis.call("SRANDMEMBER", base .. ":children:" .. id, CHILDREN)
for index, child in ipairs(children) do
  local known = fields(run_key(child), "status", "waiter")
  children[index] = { child, known.status or "", known.waiter or "" }
end
return { 1, { record, facts, journal, heads, children }, outbox }
