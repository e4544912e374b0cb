-- End a node's lease at its own request. Its runs start again elsewhere, as interrupted or as lost.
-- ARGV[7] node  [8] outcome: INTERRUPTED or LOST  [9] error JSON for its runs  [10] most: at most how many runs
-- Derives :nodes, :node:<id>, :node:<id>:runs.
-- Returns {1, runs left}: call again until it is 0.
redis.call("ZADD", base .. ":nodes", 0, node) -- an ended lease: the reaper goes on if this call is not repeated
desert_queues(node)
local had = redis.call("HLEN", base .. ":node:" .. node .. ":runs")
local left = give_up_node(node, tonumber(most), outcome, error)
if left > 0 then
  redis.call("HINCRBY", base .. ":node:" .. node, "given_up", had - left)
else
  if outcome == "LOST" then
    note_loss(node, had)
  end
  forget_node(node)
end
return { 1, left, outbox }
