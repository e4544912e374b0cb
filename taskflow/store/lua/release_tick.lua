-- Let another node have the next tick, and the next turn to fire schedules.
-- ARGV[7] node
-- Derives :tick, :firing.
-- Returns {1, 1} when this node had the tick, {1, 0} when not.
if redis.call("GET", base .. ":firing") == node then
  redis.call("DEL", base .. ":firing")
end
if redis.call("GET", base .. ":tick") == node then
  return { 1, redis.call("DEL", base .. ":tick"), outbox }
end
return { 1, 0, outbox }
