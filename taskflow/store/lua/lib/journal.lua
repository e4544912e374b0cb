-- Keep what a durable run has done, by the keys of its calls. The journal outlives attempts and goes with the run's record.
-- Derives :journal:<run>, :run:<id>.
local OPEN, SETTLED = "^[ow]", "^[sfrz]" -- states of entries, see write_journal

-- A write that is repeated late, after its reply was lost, does not open again what has ended since.
local function add_entries(id, entries)
  local journal = base .. ":journal:" .. id
  for key, entry in pairs(entries) do
    local held = entry:find(OPEN) and redis.call("HGET", journal, key)
    if not (held and held:find(SETTLED)) then
      redis.call("HSET", journal, key, entry)
      local kind, label = entry:match("^(%a)[^\n]-\t([^\n\t]*)")
      if kind == "s" then
        event(id, "step", cjson.encode({ key = key, name = label }))
      end
    end
  end
  redis.call("HSET", run_key(id), "waits", 1, "durable", 1)
end
