-- Give a run that is about to be made the journal of another one. It expires unless the run is made soon.
-- ARGV[7] id of the new run  [8] entries: JSON object by their keys  [9] done: JSON object of the values of waits that are done, a
--   list by the wait
-- Derives :journal:<run>, :waits:<run>.
-- Returns {1, 1}.
local PLANTED_MS = 600000
for key, entry in pairs(cjson.decode(entries)) do
  redis.call("HSET", base .. ":journal:" .. id, key, entry)
end
for wait, values in pairs(cjson.decode(done)) do
  redis.call("HSET", waits_key(id), wait .. ":items", #values, wait .. ":left", 0)
  for index, value in ipairs(values) do
    redis.call("HSET", waits_key(id), wait .. ":" .. string.format("%d", index - 1), value)
  end
end
expire_journal(id, PLANTED_MS)
return { 1, 1, outbox }
