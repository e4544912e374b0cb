-- Let a durable run that waits for other code go on with the beginning of its journal, in any code that is up.
-- ARGV[7] id of the run  [8] salt: what the ids of its new calls derive from besides their places  [9...] dropped: keys of the
--   calls to forget
-- Derives :run:<id>, :journal:<run>, :waits:<run>, :awaiting:code:<task>, :tasks.
-- Returns {1, status} when it goes on, {0, status} when it does not wait for other code.
local key = run_key(id)
local run = fields(key, "status", "task", "misfit")
if run.status ~= "PENDING_VERSION" or not run.misfit then
  return { 0, run.status or "MISSING", outbox }
end
local journal = base .. ":journal:" .. id
for _, call in ipairs(dropped) do
  redis.call("HDEL", journal, call)
  forget_wait(id, call)
end
redis.call("HSET", journal, "@salt", salt)
redis.call("HDEL", key, "misfit", "refused", "prefers")
local registration = cjson.decode(redis.call("HGET", base .. ":tasks", run.task) or "{}")
leave_misfit(id, run.task, registration.prefers)
return { 1, redis.call("HGET", key, "status"), outbox }
