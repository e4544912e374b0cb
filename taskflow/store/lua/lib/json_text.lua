-- Read and join JSON text by its parts, which stay as they were written: cjson would round numbers to 14 digits and turn
-- [] into {}. Texts are valid JSON.

local function string_end(text, opening)
  local place = opening + 1
  while true do
    local at = text:find('["\\]', place)
    if text:byte(at) == 34 then
      return at
    end
    place = at + 2
  end
end

local function part(text, from, to)
  from = text:find("%S", from)
  while to > 0 and text:find("^%s", to) do
    to = to - 1
  end
  return from and text:sub(from, to) or ""
end

-- What stands between the commas of an array or object.
local function parts(text)
  local found, depth, start, place = {}, 0, 0, 1
  while true do
    local at = text:find('[%[%]{},"]', place)
    local byte = text:byte(at)
    place = at + 1
    if byte == 34 then
      place = string_end(text, at) + 1
    elseif byte == 91 or byte == 123 then
      depth = depth + 1
      start = depth == 1 and place or start
    elseif depth == 1 then
      local one = part(text, start, at - 1)
      if one ~= "" then
        found[#found + 1] = one
      end
      start = place
    end
    if byte == 93 or byte == 125 then
      depth = depth - 1
      if depth == 0 then
        return found
      end
    end
  end
end

-- An object's names in order, and the text of each one's value.
local function members(text)
  local names, values = {}, {}
  for _, one in ipairs(parts(text)) do
    local closing = string_end(one, 1)
    local name = cjson.decode("[" .. one:sub(1, closing) .. "]")[1]
    if not values[name] then
      names[#names + 1] = name
    end
    values[name] = part(one, one:find(":", closing, true) + 1, #one)
  end
  return names, values
end

local function object(names, values)
  local written = {}
  for _, name in ipairs(names) do
    written[#written + 1] = cjson.encode(name) .. ":" .. values[name]
  end
  return "{" .. table.concat(written, ",") .. "}"
end
