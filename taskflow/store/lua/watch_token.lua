-- Let a token complete the item of a run's wait. One that is done does it at once.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- more: enqueue waits tokens
-- ARGV[7] token id  [8] waiter, "<run>\n<wait>\n<index>"
-- Derives :token:<id>, :waiters:<token>, :waits:<run>.
-- Returns {1, {when it times out, ms or "", value}}, {0, "MISSING"}. The value is JSON when the token is done and the run is
--   on another shard, where the caller completes the item; else "".
local id, waiter = ARGV[7], ARGV[8]
local token = redis.call("HMGET", base .. ":token:" .. id, "status", "timeout")
if not token[1] then
  return { 0, "MISSING", outbox }
end
local run, wait, index = waiter:match("^(.-)\n(.-)\n(.*)$")
local is_here = redis.call("EXISTS", run_key(run)) == 1
local value = ""
if is_here and redis.call("HEXISTS", base .. ":waits:" .. run, wait .. ":left") == 0 then
  return { 1, { token[2] or "", "" }, outbox } -- the run has ended, or its code is another's by now
elseif token[1] == "WAITING" then
  redis.call("SADD", base .. ":waiters:" .. id, waiter)
  if is_here then -- a wait that is given up leaves the token
    redis.call("HSET", base .. ":waits:" .. run, wait .. ":source", id)
  end
elseif is_here then
  more().deliver(run, wait, index, more().end_of(id))
else
  value = more().end_of(id)
end
return { 1, { token[2] or "", value }, outbox }
