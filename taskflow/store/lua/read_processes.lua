-- Read the processes of all nodes, also of those whose lease has ended and whose runs nobody has taken yet.
-- Derives :nodes, :node:<id>.
-- Returns {1, list of {node id, description JSON}}.
local nodes = {}
for _, id in ipairs(redis.call("ZRANGE", base .. ":nodes", 0, -1)) do
  nodes[#nodes + 1] = { id, redis.call("HGET", base .. ":node:" .. id, "description") or "{}" }
end
return { 1, nodes, outbox }
