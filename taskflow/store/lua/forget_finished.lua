-- Take runs that have left the store off the list of finished runs, the oldest first.
-- ARGV[7] most: at most how many entries are looked at
-- Derives :finished, :run:<id>.
-- Returns {1, how many were taken off}: call again until it is 0. Then the oldest `most` runs are all still in the store.
local gone = {}
for _, id in ipairs(redis.call("ZRANGE", base .. ":finished", 0, tonumber(most) - 1)) do
  if redis.call("EXISTS", run_key(id)) == 0 then
    gone[#gone + 1] = id
  end
end
if #gone > 0 then
  redis.call("ZREM", base .. ":finished", unpack(gone))
end
return { 1, #gone, outbox }
