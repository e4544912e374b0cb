-- List the names of a run's streams that have an item.
-- ARGV[7] id of the run
-- Derives :streams:<id>, :stream:<id>:<name>.
-- Returns {1, list of names}.
local prefix = "stream:" .. id .. ":"
local names = {}
for _, name in ipairs(redis.call("HKEYS", base .. ":streams:" .. id)) do
  if name:sub(1, #prefix) == prefix and redis.call("XLEN", base .. ":" .. name) > 0 then
    names[#names + 1] = name:sub(#prefix + 1)
  end
end
table.sort(names)
return { 1, names, outbox }
