-- List tokens, newest first. Looks at 200 at most.
-- ARGV[7] after: "<score>:<token>" behind which to begin, or ""  [8] most: at most how many  [9] status or ""  [10] tags: JSON
--   list, of which a token has one, or ""
-- Derives :tokens, :token:<id>.
-- Returns {1, {where to go on, "" at the end, {token id, score, field, value, ...}, ...}}.
local LOOKED_AT = 200
local first, last = after:match("^(%d+):(.+)$")
local wanted = tags ~= "" and cjson.decode(tags)

local function has_tag(own)
  for _, tag in ipairs(own and cjson.decode(own) or {}) do
    for _, each in ipairs(wanted) do
      if tag == each then
        return true
      end
    end
  end
end

-- Returns a token's fields without its schema, which may be long.
local function summary_of(id)
  local record, shown = redis.call("HGETALL", token_key(id)), {}
  for place = 1, #record, 2 do
    if record[place] ~= "schema" then
      shown[#shown + 1], shown[#shown + 2] = record[place], record[place + 1]
    end
  end
  return shown
end

local entries = redis.call("ZREVRANGEBYSCORE", base .. ":tokens", first or "+inf", "-inf", "WITHSCORES", "LIMIT", 0, LOOKED_AT)
local page = { #entries == 2 * LOOKED_AT and entries[#entries] .. ":" .. entries[#entries - 1] or "" }
for index = 1, #entries, 2 do
  local id, score = entries[index], entries[index + 1]
  local token = fields(token_key(id), "status", "tags")
  local is_before = score == first and id >= last
  if not token.status then
    redis.call("ZREM", base .. ":tokens", id)
  elseif not is_before and (status == "" or token.status == status) and (not wanted or has_tag(token.tags)) then
    page[#page + 1] = { id, score, unpack(summary_of(id)) }
    if #page > tonumber(most) then
      page[1] = score .. ":" .. id
      break
    end
  end
end
return { 1, page, outbox }
