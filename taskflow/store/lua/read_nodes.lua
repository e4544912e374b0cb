-- Read the nodes that are up, with what they execute, and those that were lost in the last day.
-- Derives :nodes, :node:<id>, :node:<id>:runs, :run:<id>, :lost_nodes.
-- Returns {1, {list of {id, queues JSON, classes JSON, description JSON, load JSON, since, heard, draining, drained_by,
--   capacity, executing, parked}, list of {JSON of a lost node, when in ms}, now}}; instants in ms, "" where one is missing.
--   Of a node with more than RUNS_READ runs, the runs that were looked at stand for all of them.
local RUNS_READ = 1000

-- Returns how many runs of a node execute, and how many wait in its memory.
local function count_runs(id)
  local key = base .. ":node:" .. id .. ":runs"
  local total, parked, seen = redis.call("HLEN", key), 0, 0
  for _, run_id in ipairs(total > 0 and redis.call("HRANDFIELD", key, RUNS_READ) or {}) do
    local run = fields(run_key(run_id), "status", "parked")
    seen = seen + 1
    if run.parked and run.status ~= "EXECUTING" then
      parked = parked + 1
    end
  end
  parked = seen > 0 and math.floor(parked * total / seen + 0.5) or 0
  return total - parked, parked
end

local nodes = {}
for _, id in ipairs(redis.call("ZRANGEBYSCORE", base .. ":nodes", now, "+inf")) do
  local node = fields(
    base .. ":node:" .. id, "queues", "classes", "description", "load", "since", "heard", "draining", "drained_by", "capacity"
  )
  local executing, parked = count_runs(id)
  nodes[#nodes + 1] = {
    id, node.queues or "[]", node.classes or "[]", node.description or "{}", node.load or "{}", node.since or "0",
    node.heard or "", node.draining or "", node.drained_by or "", node.capacity or "0", executing, parked,
  }
end
local lost, rows = redis.call("ZREVRANGEBYSCORE", base .. ":lost_nodes", "+inf", now - 86400000, "WITHSCORES"), {}
for index = 1, #lost, 2 do
  rows[#rows + 1] = { lost[index], lost[index + 1] }
end
return { 1, { nodes, rows, now_text }, outbox }
