-- End a node's lease on its own wish. What it still runs starts again elsewhere, as interrupted or as lost.
-- include: event push reserve timers queue limits slots pending grant dispatch enqueue close release hooks executing attempt nodes
-- more: waits
-- ARGV[7] node id  [8] INTERRUPTED or LOST  [9] error JSON for its runs  [10] at most how many runs
-- Derives :nodes, :node:<id>, :node:<id>:runs.
-- Returns {1, runs left}: call again until it is 0.
local node = ARGV[7]
redis.call("ZADD", base .. ":nodes", 0, node) -- an ended lease: the reaper goes on if nobody calls again
desert(node)
local left = give_up_node(node, tonumber(ARGV[10]), ARGV[8], ARGV[9])
if left == 0 then
  forget(node)
end
return { 1, left, outbox }
