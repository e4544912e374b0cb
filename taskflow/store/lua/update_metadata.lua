-- Change a run's metadata by the operations of one flush, in order; all of them, or none when it would be too large.
-- include: event json_text metadata
-- ARGV[7] run id  [8] claim of the run itself, "" when another run writes (its child)
-- ARGV[9] JSON list of {kind, path of names, value as JSON text}; kind: set, delete, append, remove, increment, replace
-- ARGV[10] most bytes  [11] writer  [12] number of the writer's flush, so that a repeated call changes nothing
-- Derives :run:<id>, :flushed:<id>:<writer>, :events. The event's value is null when the metadata is over 8 KB.
-- Returns {1, {metadata, how many operations did not fit}} when written (or written before), {2, bytes} when too large,
--   {0, status} when the claim is over, the run has ended or is unknown ("MISSING").
local REMEMBERED_MS, LARGEST_EVENT = 3600000, 8192
local id, claim = ARGV[7], ARGV[8]
local key = run_key(id)
local run = redis.call("HMGET", key, "status", "claim", "finished", "metadata")
if not run[1] then
  return { 0, "MISSING", outbox }
end
if run[3] or (claim ~= "" and run[2] ~= claim) then
  return { 0, run[3] and run[1] or "STALE", outbox }
end
local flushed = base .. ":flushed:" .. id .. ":" .. ARGV[11]
local metadata, misfits = run[4] or "{}", 0
if tonumber(redis.call("GET", flushed) or "0") >= tonumber(ARGV[12]) then
  return { 1, { metadata, 0 }, outbox }
end
local names, values = members(metadata)
for _, operation in ipairs(cjson.decode(ARGV[9])) do
  if operation[1] == "replace" then
    names, values = members(operation[3])
  elseif change(names, values, operation, 1) then
    misfits = misfits + 1
  end
end
metadata = object(names, values)
if #metadata > tonumber(ARGV[10]) then
  return { 2, #metadata, outbox }
end
redis.call("HSET", key, "metadata", metadata)
redis.call("SET", flushed, ARGV[12], "PX", REMEMBERED_MS)
event(id, "metadata", #metadata <= LARGEST_EVENT and metadata or "null")
return { 1, { metadata, misfits }, outbox }
