-- Open waits of a run, and let it wait: it gives its slot back until one of its waits is done.
-- ARGV[7] id of the run  [8] claim  [9] opened: JSON list of [name, items, due ms, "+<ms>" or "", its kind and name]  [10] awaited: the waits
--   that keep it waiting, JSON list of names; "" when its code goes on for now  [11] is_durable: 1 when they outlive the
--   attempt  [12] entries of its journal, JSON object, or ""  [13...] forgotten: names of waits
-- Derives :waits:<run>, :journal:<run>.
-- Returns {1, "OPEN"}; {1, "WAITING"} when it waits, also when it did already; {1, "DONE"} when one of the waits is done;
--   {0, status} when the claim has ended.
local key, run = run_key(id), read_execution(id)
if not is_own_claim(run, claim) or not (run.status == "EXECUTING" or is_parked(run)) then
  return { 0, run.status, outbox }
end
if awaited ~= "" and run.status == "EXECUTING" and run.claim ~= claim then
  return { 1, "WAITING", outbox } -- a repeated call: it waited, and was resumed already
end
local waits = waits_key(id)
if entries ~= "" then
  add_entries(id, cjson.decode(entries))
end
for _, name in ipairs(forgotten) do
  forget_wait(id, name)
end
for _, wait in ipairs(cjson.decode(opened)) do
  local name, items, due = wait[1], wait[2], instant_of(wait[3])
  if redis.call("HSETNX", waits, name .. ":left", items) == 1 then
    redis.call("HSET", waits, name .. ":items", items, name .. ":what", wait[4], name .. ":since", now_text)
    redis.call("HSET", key, "waits", 1)
    if is_durable == "1" then
      redis.call("HSET", key, "durable", 1)
    end
    if due then
      redis.call("HSET", waits, name .. ":due", string.format("%d", due))
      set_timer(wait_timer(id, name), due)
    end
  end
end
if awaited == "" then
  return { 1, "OPEN", outbox }
end
if run.status ~= "EXECUTING" then
  return { 1, "WAITING", outbox }
end
for _, name in ipairs(cjson.decode(awaited)) do
  if redis.call("HGET", waits, name .. ":left") == "0" then
    return { 1, "DONE", outbox }
  end
end
local computed = now - tonumber(run.resumed or run.attempt_started) + tonumber(run.computed or "0")
if run.max_duration then
  clear_timer("stop:" .. id)
end
set_status(id, run.queue, "EXECUTING", "WAITING", "parked", 1, "computed", string.format("%d", computed))
if run.slot then
  release_slot(id)
end
return { 1, "WAITING", outbox }
