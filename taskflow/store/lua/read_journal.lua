-- Read what a durable run has done, and the values of its waits that are done: all that its code needs to go on.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- more: enqueue waits
-- ARGV[7] run id
-- Derives :journal:<run>, :waits:<run>.
-- Returns {1, {{key, entry, ...}, {{wait, {values in the order of the items, JSON}}, ...}}}.
local id = ARGV[7]
local waits, done = redis.call("HGETALL", base .. ":waits:" .. id), {}
for at = 1, #waits, 2 do
  local name = waits[at + 1] == "0" and waits[at]:match("^(.*):left$")
  if name then
    local items = tonumber(redis.call("HGET", base .. ":waits:" .. id, name .. ":items"))
    done[#done + 1] = { name, more().item_values(id, name, items) }
  end
end
return { 1, { redis.call("HGETALL", base .. ":journal:" .. id), done }, outbox }
