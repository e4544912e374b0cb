-- Finished runs are in the history: from now on the store keeps them for the retention only.
-- include: close
-- ARGV[7] retention ms  [8...] run ids
-- Derives :run:<id>, :streams:<run>, :stream:<run>:<name>, :input:<run>:<name>.
-- Returns {1, how many of them are finished and still here}.
local retired = 0
for index = 8, #ARGV do
  local key = run_key(ARGV[index])
  local run = redis.call("HMGET", key, "finished", "streams")
  if run[1] then
    redis.call("PEXPIRE", key, ARGV[7])
    if run[2] then
      keep_streams(ARGV[index], ARGV[7])
    end
    retired = retired + 1
  end
end
return { 1, retired, outbox }
