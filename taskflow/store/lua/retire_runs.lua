-- Finished runs are in the history: from now on the store keeps them for the retention only.
-- ARGV[7] retention ms  [8...] run ids
-- Derives :run:<id>.
-- Returns {1, how many of them are finished and still here}.
local retired = 0
for index = 8, #ARGV do
  local key = run_key(ARGV[index])
  if redis.call("HEXISTS", key, "finished") == 1 then
    redis.call("PEXPIRE", key, ARGV[7])
    retired = retired + 1
  end
end
return { 1, retired, outbox }
