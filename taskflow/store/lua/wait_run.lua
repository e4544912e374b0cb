-- Open waits of a run, and let it wait: its slot is given back until one of its waits is done.
-- include: event push reserve timers queue limits slots pending grant dispatch executing
-- more: enqueue release waits
-- ARGV[7] run id  [8] claim  [9] waits to open, JSON list of [name, items, due ms, "+<ms>" or ""]  [10] the waits that keep
--   it waiting, JSON list of names; "" when its code goes on for now  [11] 1 when they outlive the attempt (durable)
--   [12] entries of its journal, JSON object, or ""  [13...] names of waits to forget
-- Derives :waits:<run>, :journal:<run>.
-- Returns {1, "OPEN"}; {1, "WAITING"} when it waits, also when it did already; {1, "DONE"} when one of the waits is done;
--   {0, status} when the claim is over.
local id = ARGV[7]
local key, run = run_key(id), executing(id)
if ARGV[10] ~= "" and run.status == "EXECUTING" and is_grant_of(run.claim, run.granted, ARGV[8]) then
  return { 1, "WAITING", outbox } -- a repeated call: it waited, and was let go on already
end
if run.claim ~= ARGV[8] or not (run.status == "EXECUTING" or is_parked(run)) then
  return { 0, run.status, outbox }
end
local waits = base .. ":waits:" .. id
if ARGV[12] ~= "" then
  more().write_journal(id, cjson.decode(ARGV[12]))
end
for at = 13, #ARGV do
  more().forget_wait(id, ARGV[at])
end
for _, wait in ipairs(cjson.decode(ARGV[9])) do
  local name, items, due = wait[1], wait[2], wait[3]
  if redis.call("HSETNX", waits, name .. ":left", items) == 1 then
    redis.call("HSET", waits, name .. ":items", items)
    redis.call("HSET", key, "waits", 1)
    if ARGV[11] == "1" then
      redis.call("HSET", key, "durable", 1)
    end
    if due ~= "" then
      due = due:sub(1, 1) == "+" and now + tonumber(due) or tonumber(due)
      redis.call("HSET", waits, name .. ":due", string.format("%d", due))
      set_timer(more().wait_timer(id, name), due)
    end
  end
end
if ARGV[10] == "" then
  return { 1, "OPEN", outbox }
end
if run.status ~= "EXECUTING" then
  return { 1, "WAITING", outbox }
end
for _, name in ipairs(cjson.decode(ARGV[10])) do
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
  more().release_slot(id)
end
return { 1, "WAITING", outbox }
