-- Keep finished runs for the retention only, from now on: they are in the history.
-- ARGV[7] kept_ms: the retention  [8...] ids of the runs
-- Derives :run:<id>, :streams:<run>, :stream:<run>:<name>, :input:<run>:<name>, :journal:<run>, :waits:<run>.
-- Returns {1, how many of them are finished and still here}.
local retired = 0
for _, id in ipairs(ids) do
  local key = run_key(id)
  local run = fields(key, "finished", "streams", "durable")
  if run.finished then
    redis.call("PEXPIRE", key, kept_ms)
    if run.streams then
      expire_streams(id, kept_ms)
    end
    if run.durable then
      expire_journal(id, kept_ms)
    end
    retired = retired + 1
  end
end
return { 1, retired, outbox }
