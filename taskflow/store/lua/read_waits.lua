-- Read which of a run's waits are done, with the values of their items.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- more: enqueue waits
-- ARGV[7] run id  [8] claim of the code that asks, "" for another reader  [9...] names of waits
-- Derives :run:<id>, :waits:<run>.
-- Returns {1, {status, claim, {name, {values in the order of the items, JSON}}, ...}}, {0, "MISSING"}; {0, "STALE"} when
--   the claim is over. A newer claim is the code's own when the run was let go on since.
local id = ARGV[7]
local run = redis.call("HMGET", run_key(id), "status", "claim", "granted")
if not run[1] then
  return { 0, "MISSING", outbox }
end
if ARGV[8] ~= "" and run[2] ~= ARGV[8] and not is_grant_of(run[2], run[3], ARGV[8]) then
  return { 0, "STALE", outbox }
end
local found = { run[1], run[2] }
for at = 9, #ARGV do
  local name = ARGV[at]
  local wait = redis.call("HMGET", base .. ":waits:" .. id, name .. ":left", name .. ":items")
  if wait[1] == "0" then
    found[#found + 1] = { name, more().item_values(id, name, tonumber(wait[2])) }
  end
end
return { 1, found, outbox }
