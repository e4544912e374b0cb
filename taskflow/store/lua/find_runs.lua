-- Look through some of a shard's runs for those that match.
-- ARGV[7] index: ":live" or ":finished"  [8] cursor, "0" at first  [9] looks: about how many runs to look at
--   [10] filter: JSON object of statuses, tasks and tags, of which a match has one; queue; since (ms of its creation);
--   id_end (the last characters of its id)
-- Derives :live, :finished, :run:<id>.
-- Returns {1, {next cursor, list of {run id, field, value, ...}}}, without payload, output and attempts. "0" is the end.
local wanted = cjson.decode(filter)

local function set_of(list)
  local members = {}
  for _, member in ipairs(list or {}) do
    members[member] = true
  end
  return members
end
local statuses, tasks, tags = set_of(wanted.statuses), set_of(wanted.tasks), set_of(wanted.tags)

local function has_tag(own)
  for _, tag in ipairs(cjson.decode(own or "[]")) do
    if tags[tag] then
      return true
    end
  end
  return false
end

local function is_match(id)
  if wanted.id_end and string.sub(id, -#wanted.id_end) ~= wanted.id_end then
    return false
  end
  local run = fields(run_key(id), "task", "status", "queue", "created", "tags")
  return run.task
    and (not wanted.statuses or statuses[run.status])
    and (not wanted.tasks or tasks[run.task])
    and (not wanted.queue or run.queue == wanted.queue)
    and (not wanted.since or tonumber(run.created) >= wanted.since)
    and (not wanted.tags or has_tag(run.tags))
end

local page = redis.call("ZSCAN", base .. index, cursor, "COUNT", looks)
local matches = {}
for place = 1, #page[2], 2 do
  local id = page[2][place]
  if is_match(id) then
    matches[#matches + 1] = summary(id)
  end
end
return { 1, { page[1], matches }, outbox }
