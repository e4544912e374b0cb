-- Read which of a run's waits are done, with the values of their items.
-- ARGV[7] id of the run  [8] claim of the code that reads, "" for another reader  [9...] names of waits
-- Derives :run:<id>, :waits:<run>.
-- Returns {1, {status, claim, {name, {values in the order of the items, JSON}}, ...}}, {0, "MISSING"}; {0, "STALE"} when
--   the claim has ended. A newer claim is the code's own when the run was resumed since.
local run = fields(run_key(id), "status", "claim", "granted")
if not run.status then
  return { 0, "MISSING", outbox }
end
if claim ~= "" and not is_own_claim(run, claim) then
  return { 0, "STALE", outbox }
end
local reply = { run.status, run.claim }
for _, name in ipairs(names) do
  local left, count = unpack(redis.call("HMGET", waits_key(id), name .. ":left", name .. ":items"))
  if left == "0" then
    reply[#reply + 1] = { name, item_values(id, name, tonumber(count)) }
  end
end
return { 1, reply, outbox }
