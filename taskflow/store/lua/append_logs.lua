-- Add a run's log lines to the events. Taken after the claim is over too: lines are told by who wrote them, and the last
-- ones of a crash come late.
-- include: event
-- ARGV[7] run id  [8] claim under which they were written  [9] lines: JSON objects joined by "\n"
-- Derives :run:<id>, :events.
-- Returns {1, how many}, {0, "MISSING"} for an unknown run, {0, "STALE"} for a claim that never was.
local id = ARGV[7]
local run = redis.call("HMGET", run_key(id), "status", "claim")
if not run[1] then
  return { 0, "MISSING", outbox }
end
if tonumber(ARGV[8]) > tonumber(run[2] or "0") then
  return { 0, "STALE", outbox }
end
local count = 0
for line in ARGV[9]:gmatch("[^\n]+") do
  event(id, "log", line)
  count = count + 1
end
return { 1, count, outbox }
