-- Read the runs of a node with claim and child, from which the runs of a dead child are found.
-- ARGV[7] node
-- Derives :node:<id>:runs, :run:<id>.
-- Returns {1, list of {run id, claim, pid, status, task, failed, max_attempts, class}}.
local runs = {}
for _, id in ipairs(redis.call("HKEYS", base .. ":node:" .. node .. ":runs")) do
  local run = fields(run_key(id), "claim", "pid", "status", "task", "failed", "max_attempts", "class")
  if run.claim then
    runs[#runs + 1] = {
      id, run.claim, run.pid or "0", run.status, run.task, run.failed or "0", run.max_attempts, run.class,
    }
  end
end
return { 1, runs, outbox }
