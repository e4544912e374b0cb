-- List deliveries without their bodies, newest first. Looks at 200 at most.
-- ARGV[7] after: "<score>:<delivery>" behind which to begin, or ""  [8] most: at most how many  [9] status or ""  [10] task or ""
-- Derives :deliveries, :delivery:<id>.
-- Returns {1, {where to go on, "" at the end, {delivery id, score, field, value, ...}, ...}}.
local LOOKED_AT = 200
local first, last = after:match("^(%d+):(.+)$")
local list = base .. ":deliveries"

local function summary_of(id)
  local record, shown = redis.call("HGETALL", delivery_key(id)), {}
  for place = 1, #record, 2 do
    if record[place] ~= "body" then
      shown[#shown + 1], shown[#shown + 2] = record[place], record[place + 1]
    end
  end
  return shown
end

local entries = redis.call("ZREVRANGEBYSCORE", list, first or "+inf", "-inf", "WITHSCORES", "LIMIT", 0, LOOKED_AT)
local page = { #entries == 2 * LOOKED_AT and entries[#entries] .. ":" .. entries[#entries - 1] or "" }
for index = 1, #entries, 2 do
  local id, score = entries[index], entries[index + 1]
  local found = fields(delivery_key(id), "status", "task")
  local is_before = score == first and id >= last
  if not found.status then
    redis.call("ZREM", list, id)
  elseif not is_before and (status == "" or found.status == status) and (task == "" or found.task == task) then
    page[#page + 1] = { id, score, unpack(summary_of(id)) }
    if #page > tonumber(most) then
      page[1] = score .. ":" .. id
      break
    end
  end
end
return { 1, page, outbox }
