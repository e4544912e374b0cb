-- Which runs a node holds, with claim and child: to find what a dead child ran.
-- ARGV[7] node id
-- Derives :node:<id>:runs, :run:<id>.
-- Returns {1, list of {run id, claim, pid, status, task, failed, max_attempts, class}}.
local found = {}
for _, id in ipairs(redis.call("HKEYS", base .. ":node:" .. ARGV[7] .. ":runs")) do
  local run = redis.call("HMGET", run_key(id), "claim", "pid", "status", "task", "failed", "max_attempts", "class")
  if run[1] then
    found[#found + 1] = { id, run[1], run[2] or "0", run[3], run[4], run[5] or "0", run[6], run[7] }
  end
end
return { 1, found, outbox }
