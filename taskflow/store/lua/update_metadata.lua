-- Change a run's metadata by the operations of one flush, in order; all of them, or none when it would be too large.
-- ARGV[7] id of the run  [8] claim of the run itself, "" for another writer (its child)
--   [9] operations: JSON list of {kind, path of names, value as JSON text}; kind: set, delete, append, remove, increment,
--   replace  [10] most_bytes  [11] writer  [12] flush: its number with the writer, so that a repeated call changes nothing
--   [13] strict: "1" to change nothing when an operation does not fit
-- Derives :run:<id>, :flushed:<id>:<writer>, :events. The event's value is null when the metadata is over 8 KB.
-- Returns {1, {metadata, how many operations did not fit}} when written (or written before), {2, bytes} when too large,
--   {3, index of the operation that does not fit} with strict,
--   {0, status} when the claim or the run has ended, or the run is unknown ("MISSING").
local REMEMBERED_MS, LARGEST_EVENT = 3600000, 8192
local key = run_key(id)
local run = fields(key, "status", "claim", "finished", "metadata", "granted")
if not run.status then
  return { 0, "MISSING", outbox }
end
if run.finished or (claim ~= "" and not is_own_claim(run, claim)) then
  return { 0, run.finished and run.status or "STALE", outbox }
end
local flushed = base .. ":flushed:" .. id .. ":" .. writer
local metadata, misfits = run.metadata or "{}", 0
if tonumber(redis.call("GET", flushed) or "0") >= tonumber(flush) then
  return { 1, { metadata, 0 }, outbox }
end
local names, values = members_of(metadata)
for index, operation in ipairs(cjson.decode(operations)) do
  if operation[1] == "replace" then
    names, values = members_of(operation[3])
  elseif apply(names, values, operation, 1) then
    misfits = misfits + 1
    if strict == "1" then
      return { 3, index - 1, outbox }
    end
  end
end
metadata = object_text(names, values)
if #metadata > tonumber(most_bytes) then
  return { 2, #metadata, outbox }
end
redis.call("HSET", key, "metadata", metadata)
redis.call("SET", flushed, flush, "PX", REMEMBERED_MS)
event(id, "metadata", #metadata <= LARGEST_EVENT and metadata or "null")
return { 1, { metadata, misfits }, outbox }
