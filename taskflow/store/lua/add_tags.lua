-- Add tags to a run, up to a number in all; what is over it is ignored.
-- include: event
-- ARGV[7] run id  [8] claim of the run itself, "" when it is told from outside  [9] tags, JSON list  [10] most tags
-- Derives :run:<id>, :events.
-- Returns {1, how many were ignored}, {0, status} when the claim is over or the run unknown ("MISSING").
local id, claim = ARGV[7], ARGV[8]
local key = run_key(id)
local run = redis.call("HMGET", key, "status", "claim", "finished", "tags")
if not run[1] then
  return { 0, "MISSING", outbox }
end
if claim ~= "" and (run[3] or run[2] ~= claim) then
  return { 0, run[3] and run[1] or "STALE", outbox }
end
local tags, known, ignored = run[4] and cjson.decode(run[4]) or {}, {}, 0
for _, tag in ipairs(tags) do
  known[tag] = true
end
local before = #tags
for _, tag in ipairs(cjson.decode(ARGV[9])) do
  if not known[tag] and #tags >= tonumber(ARGV[10]) then
    ignored = ignored + 1
  elseif not known[tag] then
    known[tag] = true
    tags[#tags + 1] = tag
  end
end
if #tags > before then
  redis.call("HSET", key, "tags", cjson.encode(tags))
  event(id, "tags", cjson.encode(tags))
end
return { 1, ignored, outbox }
