-- Keep what a durable run has done, by the keys of its calls. The journal outlives attempts and goes with the run's waits.
-- Derives :journal:<run>, :run:<id>.
local function add_entries(id, entries)
  for key, entry in pairs(entries) do
    redis.call("HSET", base .. ":journal:" .. id, key, entry)
    local kind, label = entry:match("^(%a)[^\n]-\t([^\n]*)")
    if kind == "s" then
      event(id, "step", cjson.encode({ key = key, name = label }))
    end
  end
  redis.call("HSET", run_key(id), "waits", 1, "durable", 1)
end
