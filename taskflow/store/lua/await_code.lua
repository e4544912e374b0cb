-- End an attempt whose code does not fit the journal of its durable run. The run goes on in a node that has other code: at
-- once where nodes of the journal's version are up, else when a node registers other code for its task.
-- ARGV[7] id of the run  [8] claim  [9] misfit JSON, for people  [10] made_by: the code that made the journal  [11] refused_by:
--   the code of this attempt  [12] version: name of the journal's version, or ""  [13] error JSON
-- Derives :run:<id>, :node:<node>:runs, :journal:<run>, :awaiting:<code>.
-- Returns {1, status} when written, {0, status} when it or the claim has ended.
local key, run = run_key(id), read_execution(id)
if not is_own_claim(run, claim) then
  return { 0, run.status == "MISSING" and "MISSING" or "STALE", outbox }
end
if is_parked(run) then
  stop_waiting(id, run)
end
if run.status ~= "EXECUTING" then
  return { 0, run.status, outbox }
end
record_attempt(key, run, "INTERRUPTED", error)
leave_node(id, run)
forget_waits(id, run)
redis.call("HSET", base .. ":journal:" .. id, "@code", made_by)
local about = fields(key, "task", "class", "queue", "refused")
local refused = about.refused or ""
if not refused:find(refused_by .. "\n", 1, true) then
  refused = refused .. refused_by .. "\n"
end
redis.call("HDEL", key, "node", "pid", "nonce")
redis.call("HSET", key, "misfit", misfit, "refused", refused)
local shared = environment .. "." .. about.class
local is_up = version ~= ""
  and (version_queue(shared, version, about.task) or version_queue(shared .. "." .. about.queue, version, about.task))
if is_up then
  redis.call("HSET", key, "prefers", version)
  free_slot(id)
  enqueue(id, true)
  pass_environment_slot()
else
  await_other_code(id, about.task, about.queue, run.status)
  release_slot(id)
end
return { 1, redis.call("HGET", key, "status"), outbox }
