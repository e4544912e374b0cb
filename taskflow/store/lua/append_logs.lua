-- Add a run's log lines and spans to the events, up to the limits of a run, and count what is dropped. An ended claim may
-- write too, because the last lines of a crash come late.
-- ARGV[7] id of the run  [8] claim under which they were written
--   [9] lines: JSON objects joined by "\n"; {"span":, {"trace": (spans of taskflow's own), {"dropped": (a number of lines
--   that were dropped before), or a log line
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
local KINDS = { ['{"span":'] = "span", ['{"trace"'] = "trace", ['{"droppe'] = "dropped" }
local most, largest, kept, dropped = tonumber(most_lines), tonumber(most_bytes), 0, 0
local count, size = tonumber(run.log_lines or "0"), tonumber(run.log_bytes or "0")
for line in lines:gmatch("[^\n]+") do
  local kind = KINDS[line:sub(1, 8)] or "log"
  if kind == "dropped" then
    dropped = dropped + tonumber(line:match("%d+"))
  elseif count < most and size < largest then
    event(id, kind, line)
    kept, count, size = kept + 1, count + 1, size + #line
  else
    dropped = dropped + 1
    if count <= most then -- else the last line was written before
      event(id, "log", last_line)
      kept, count = kept + 1, most + 1
    end
  end
end
if dropped > 0 then
  redis.call("HINCRBY", run_key(id), "log_dropped", dropped)
end
redis.call("HSET", run_key(id), "log_lines", count, "log_bytes", size)
return { 1, kept, outbox }
