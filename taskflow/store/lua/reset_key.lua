-- Free an idempotency key: the next trigger with it makes a run.
-- ARGV[7] idempotency: "<task>:<digest>"
-- Derives :key:<task>:<digest>.
-- Returns {1, id of the run that had it}, {0, "MISSING"}.
local name = base .. ":key:" .. idempotency
local holder = redis.call("GET", name)
if not holder then
  return { 0, "MISSING", outbox }
end
redis.call("DEL", name)
return { 1, holder, outbox }
