-- Look at some entries of an index after the store's clock was set back: what was due soon is due soon again. Instants that
-- users have named stay, because they are by the clock. May be repeated.
-- ARGV[7] index: ":timers", then ":delayed"  [8] cursor, "0" at first  [9] looks: about how many entries to look at
-- Derives :timers, :delayed, :run:<id>, :upkeep.
-- Returns {1, next cursor}: "0" is the end.
local AT_ONCE = { rate = true, look = true, room = true, task = true, queue = true } -- look again, whenever they fire

-- Returns the instant of a retry: as long after now as it was after the end of its attempt.
local function retry_due(id)
  local run = fields(run_key(id), "status", "attempt", "due")
  local ended = run.status == "REATTEMPTING" and redis.call("HGET", run_key(id), "attempt:" .. run.attempt)
  local ended_at = ended and tonumber(ended:match('"finished":(%d+)'))
  return ended_at and ended_at > now and run.due and now + tonumber(run.due) - ended_at
end

local page = redis.call("ZSCAN", base .. index, cursor, "COUNT", looks)
for place = 1, #page[2], 2 do
  local member, score = page[2][place], tonumber(page[2][place + 1])
  local due = score > now and (index == ":delayed" and retry_due(member) or AT_ONCE[member:match("^%a+")] and now)
  if due and due < score then
    redis.call("ZADD", base .. index, "XX", due, member)
  end
end
if page[1] == "0" and index == ":delayed" then -- the last index
  redis.call("HDEL", base .. ":upkeep", "turned_back")
end
return { 1, page[1], outbox }
