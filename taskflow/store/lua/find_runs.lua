-- Look through some of a shard's runs for those that match.
-- ARGV[7] ":live" or ":finished"  [8] cursor, "0" at first  [9] about how many to look at
--   [10] JSON object of what a match has: one of statuses, of tasks, of tags; queue; since (ms of its creation)
-- Derives :live, :finished, :run:<id>.
-- Returns {1, {next cursor, list of {run id, field, value, ...}}}, without payload, output and attempts. "0" is the end.
local wanted = cjson.decode(ARGV[10])

local function set_of(list)
  local members = {}
  for _, member in ipairs(list or {}) do
    members[member] = true
  end
  return members
end
local statuses, tasks, tags = set_of(wanted.statuses), set_of(wanted.tasks), set_of(wanted.tags)
local names = { "task", "status", "queue", "created", "tags", "class", "max_attempts", "started", "finished", "due", "ckey",
  "test", "parent", "root", "batch", "replay_of", "key", "version" }

local function has_tag(own)
  for _, tag in ipairs(cjson.decode(own or "[]")) do
    if tags[tag] then
      return true
    end
  end
  return false
end

local function is_match(values)
  return values[1]
    and (not wanted.statuses or statuses[values[2]])
    and (not wanted.tasks or tasks[values[1]])
    and (not wanted.queue or values[3] == wanted.queue)
    and (not wanted.since or tonumber(values[4]) >= wanted.since)
    and (not wanted.tags or has_tag(values[5]))
end

local page = redis.call("ZSCAN", base .. ARGV[7], ARGV[8], "COUNT", ARGV[9])
local found = {}
for place = 1, #page[2], 2 do
  local id = page[2][place]
  local values = redis.call("HMGET", run_key(id), unpack(names))
  if is_match(values) then
    local fields = { id }
    for index, name in ipairs(names) do
      if values[index] then
        fields[#fields + 1] = name
        fields[#fields + 1] = values[index]
      end
    end
    found[#found + 1] = fields
  end
end
return { 1, { page[1], found }, outbox }
