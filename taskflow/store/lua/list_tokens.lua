-- List tokens, newest first. Looks at 200 at most.
-- ARGV[7] "<score>:<token>" behind which to begin, or ""  [8] at most how many  [9] status or ""  [10] JSON list of tags, of
--   which a token has one, or ""
-- Derives :tokens, :token:<id>.
-- Returns {1, {where to go on, "" at the end, {token id, score, field, value, ...}, ...}}.
local LOOKED_AT = 200
local score, last = ARGV[7]:match("^(%d+):(.+)$")
local wanted = ARGV[10] ~= "" and cjson.decode(ARGV[10])

local function has_tag(tags)
  for _, tag in ipairs(tags and cjson.decode(tags) or {}) do
    for _, each in ipairs(wanted) do
      if tag == each then
        return true
      end
    end
  end
end

local entries = redis.call("ZREVRANGEBYSCORE", base .. ":tokens", score or "+inf", "-inf", "WITHSCORES", "LIMIT", 0, LOOKED_AT)
local found = { #entries == 2 * LOOKED_AT and entries[#entries] .. ":" .. entries[#entries - 1] or "" }
for place = 1, #entries, 2 do
  local id, at = entries[place], entries[place + 1]
  local key = base .. ":token:" .. id
  local token = redis.call("HMGET", key, "status", "tags")
  if not token[1] then
    redis.call("ZREM", base .. ":tokens", id)
  elseif not (at == score and id >= last) and (ARGV[9] == "" or token[1] == ARGV[9]) and (not wanted or has_tag(token[2])) then
    found[#found + 1] = { id, at, unpack(redis.call("HGETALL", key)) }
    if #found > tonumber(ARGV[8]) then
      found[1] = at .. ":" .. id
      break
    end
  end
end
return { 1, found, outbox }
