-- Cancel the children that a canceled run has on this shard.
-- ARGV[7] parent: its run id  [8] reason as error JSON  [9] most: at most how many
-- Derives :children:<run>.
-- Returns {1, {ids of the runs that were canceled, how many children are left}}: call again until none is left.
local children, canceled = base .. ":children:" .. parent, {}
for _, id in ipairs(redis.call("SRANDMEMBER", children, tonumber(most))) do
  redis.call("SREM", children, id)
  if end_run(id, "CANCELED", reason) then
    canceled[#canceled + 1] = id
  end
end
return { 1, { canceled, redis.call("SCARD", children) }, outbox }
