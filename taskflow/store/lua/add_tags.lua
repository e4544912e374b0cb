-- Add tags to a run, up to a number in all; further ones are ignored, or none is added.
-- ARGV[7] id of the run  [8] claim of the run itself, "" for another caller  [9] tags, JSON list  [10] most: of a run, in all
--   [11] all: "1" to add none if some would be ignored
-- Derives :run:<id>, :events.
-- Returns {1, how many were ignored}, with all {1, how many are new} or {2, how many are too many}; {0, status} when the claim has ended or the run is unknown ("MISSING").
local key = run_key(id)
local run = fields(key, "status", "claim", "finished", "tags", "granted")
if not run.status then
  return { 0, "MISSING", outbox }
end
if claim ~= "" and (run.finished or not is_own_claim(run, claim)) then
  return { 0, run.finished and run.status or "STALE", outbox }
end
local own, has_tag, ignored = run.tags and cjson.decode(run.tags) or {}, {}, 0
for _, tag in ipairs(own) do
  has_tag[tag] = true
end
local before = #own
for _, tag in ipairs(cjson.decode(tags)) do
  if not has_tag[tag] and #own >= tonumber(most) then
    ignored = ignored + 1
  elseif not has_tag[tag] then
    has_tag[tag] = true
    own[#own + 1] = tag
  end
end
if all == "1" and ignored > 0 then
  return { 2, ignored, outbox }
end
if #own > before then
  redis.call("HSET", key, "tags", cjson.encode(own))
  event(id, "tags", cjson.encode(own))
end
return { 1, all == "1" and #own - before or ignored, outbox }
