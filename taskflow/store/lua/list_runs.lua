-- List runs, newest first: those alive by creation, then those finished by their end.
-- ARGV[7] at most how many of each
-- Derives :live, :finished, :run:<id>.
-- Returns {1, list of {run id, field, value, ...}}, without payload, output and attempts.
local found = {}
for _, index in ipairs({ ":live", ":finished" }) do
  for _, id in ipairs(redis.call("ZREVRANGE", base .. index, 0, tonumber(ARGV[7]) - 1)) do
    local names = { "task", "status", "queue", "class", "created", "max_attempts", "started", "finished", "due", "tags",
      "ckey", "test", "parent", "root", "batch", "replay_of", "key", "version" }
    local values = redis.call("HMGET", run_key(id), unpack(names))
    if values[1] then
      local fields = { id }
      for place, name in ipairs(names) do
        if values[place] then
          fields[#fields + 1] = name
          fields[#fields + 1] = values[place]
        end
      end
      found[#found + 1] = fields
    end
  end
end
return { 1, found, outbox }
