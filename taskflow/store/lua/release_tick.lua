-- Let another node have the next tick.
-- ARGV[7] node
-- Derives :tick.
-- Returns {1, 1} when this node had it, {1, 0} when not.
if redis.call("GET", base .. ":tick") == node then
  return { 1, redis.call("DEL", base .. ":tick"), outbox }
end
return { 1, 0, outbox }
