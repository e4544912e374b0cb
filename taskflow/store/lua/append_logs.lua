-- Add a run's log lines and spans to the events, up to the limits of a run. An ended claim may write too, because the last
-- lines of a crash come late.
-- ARGV[7] id of the run  [8] claim under which they were written
--   [9] lines: JSON objects joined by "\n"; that of a span begins with {"span":
--   [10] most_lines  [11] most_bytes of a run  [12] last_line, added when further lines are dropped
-- Derives :run:<id>, :events.
-- Returns {1, how many were kept}, {0, "MISSING"} for an unknown run, {0, "STALE"} for a claim that never was.
local run = fields(run_key(id), "status", "claim", "log_lines", "log_bytes")
if not run.status then
  return { 0, "MISSING", outbox }
end
if tonumber(claim) > tonumber(run.claim or "0") then
  return { 0, "STALE", outbox }
end
local most, largest, kept = tonumber(most_lines), tonumber(most_bytes), 0
local count, size = tonumber(run.log_lines or "0"), tonumber(run.log_bytes or "0")
for line in lines:gmatch("[^\n]+") do
  if count > most then -- the last line was written before
    break
  end
  kept = kept + 1
  if count == most or size >= largest then
    event(id, "log", last_line)
    count = most + 1
  else
    event(id, line:sub(1, 8) == '{"span":' and "span" or "log", line)
    count, size = count + 1, size + #line
  end
end
redis.call("HSET", run_key(id), "log_lines", count, "log_bytes", size)
return { 1, kept, outbox }
