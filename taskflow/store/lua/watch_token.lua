-- Let a token complete the item of a run's wait. One that is done does it at once.
-- ARGV[7] id of the token  [8] waiter, "<run>\n<wait>\n<index>"
-- Derives :token:<id>, :waiters:<token>, :waits:<run>.
-- Returns {1, {when it times out, ms or "", value}}, {0, "MISSING"}. The value is JSON when the token is done and the run is
--   on another shard, where the caller completes the item; else "".
local token = fields(token_key(id), "status", "timeout")
if not token.status then
  return { 0, "MISSING", outbox }
end
local run, wait, index = waiter:match("^(.*)\n(.-)\n(.*)$")
local is_here = redis.call("EXISTS", run_key(run)) == 1
local value = ""
if is_here and redis.call("HEXISTS", waits_key(run), wait .. ":left") == 0 then
  return { 1, { token.timeout or "", "" }, outbox } -- the run has ended, or other code executes it by now
elseif token.status == "WAITING" then
  redis.call("SADD", base .. ":waiters:" .. id, waiter)
  if is_here then -- a wait that is given up leaves the token
    redis.call("HSET", waits_key(run), wait .. ":source", id)
  end
elseif is_here then
  deliver(run, wait, index, end_json(id))
else
  value = end_json(id)
end
return { 1, { token.timeout or "", value }, outbox }
