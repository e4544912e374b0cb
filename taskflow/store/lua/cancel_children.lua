-- Cancel the children that a canceled run has on this shard.
-- include: event push reserve timers queue limits slots pending grant dispatch executing close release hooks cancel
-- more: enqueue waits
-- ARGV[7] run id of the parent  [8] reason as error JSON  [9] at most how many
-- Derives :children:<run>.
-- Returns {1, ids of the runs that were canceled}: as many as asked for means that more may be left.
local children, canceled = base .. ":children:" .. ARGV[7], {}
for _, id in ipairs(redis.call("SRANDMEMBER", children, tonumber(ARGV[9]))) do
  redis.call("SREM", children, id)
  if end_run(id, "CANCELED", ARGV[8]) then
    canceled[#canceled + 1] = id
  end
end
return { 1, canceled, outbox }
