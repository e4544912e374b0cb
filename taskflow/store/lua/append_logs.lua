-- Add a run's log lines and spans to the events, up to what is kept of a run. Taken after the claim is over too: lines
-- are told by who wrote them, and the last ones of a crash come late.
-- include: event
-- ARGV[7] run id  [8] claim under which they were written
--   [9] lines: JSON objects joined by "\n"; that of a span begins with {"span":
--   [10] how many lines  [11] and bytes of them a run may have  [12] the line that says that no more are kept
-- Derives :run:<id>, :events.
-- Returns {1, how many were kept}, {0, "MISSING"} for an unknown run, {0, "STALE"} for a claim that never was.
local id = ARGV[7]
local run = redis.call("HMGET", run_key(id), "status", "claim", "log_lines", "log_bytes")
if not run[1] then
  return { 0, "MISSING", outbox }
end
if tonumber(ARGV[8]) > tonumber(run[2] or "0") then
  return { 0, "STALE", outbox }
end
local most, largest, kept = tonumber(ARGV[10]), tonumber(ARGV[11]), 0
local lines, size = tonumber(run[3] or "0"), tonumber(run[4] or "0")
for line in ARGV[9]:gmatch("[^\n]+") do
  if lines > most then -- told already
    break
  end
  kept = kept + 1
  if lines == most or size >= largest then
    event(id, "log", ARGV[12])
    lines = most + 1
  else
    event(id, line:sub(1, 8) == '{"span":' and "span" or "log", line)
    lines, size = lines + 1, size + #line
  end
end
redis.call("HSET", run_key(id), "log_lines", lines, "log_bytes", size)
return { 1, kept, outbox }
