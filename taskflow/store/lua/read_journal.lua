-- Read what a durable run has done, and the values of its waits that are done: all that its code needs to go on.
-- ARGV[7] id of the run
-- Derives :journal:<run>, :waits:<run>.
-- Returns {1, {{key, entry, ...}, {{wait, {values in the order of the items, JSON}}, ...}}}.
local waits, done = redis.call("HGETALL", waits_key(id)), {}
for index = 1, #waits, 2 do
  local wait = waits[index + 1] == "0" and waits[index]:match("^(.*):left$")
  if wait then
    local count = tonumber(redis.call("HGET", waits_key(id), wait .. ":items"))
    done[#done + 1] = { wait, item_values(id, wait, count) }
  end
end
return { 1, { redis.call("HGETALL", base .. ":journal:" .. id), done }, outbox }
