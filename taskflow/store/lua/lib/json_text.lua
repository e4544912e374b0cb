-- Cut and join JSON text, whose parts stay as they were written: cjson would round numbers to 14 digits and turn [] into {}.
-- Texts are valid JSON.
local function string_end(text, opening)
  local from = opening + 1
  while true do
    local at = text:find('["\\]', from)
    if text:byte(at) == 34 then
      return at
    end
    from = at + 2
  end
end

local function trimmed(text, from, to)
  from = text:find("%S", from)
  while to > 0 and text:find("^%s", to) do
    to = to - 1
  end
  return from and text:sub(from, to) or ""
end

-- Returns the texts between the commas of an array or object.
local function elements_of(text)
  local elements, depth, start, from = {}, 0, 0, 1
  while true do
    local at = text:find('[%[%]{},"]', from)
    local byte = text:byte(at)
    from = at + 1
    if byte == 34 then
      from = string_end(text, at) + 1
    elseif byte == 91 or byte == 123 then
      depth = depth + 1
      start = depth == 1 and from or start
    elseif depth == 1 then
      local element = trimmed(text, start, at - 1)
      if element ~= "" then
        elements[#elements + 1] = element
      end
      start = from
    end
    if byte == 93 or byte == 125 then
      depth = depth - 1
      if depth == 0 then
        return elements
      end
    end
  end
end

-- Returns an object's names in order, and the text of each one's value.
local function members_of(text)
  local names, values = {}, {}
  for _, element in ipairs(elements_of(text)) do
    local closing = string_end(element, 1)
    local name = cjson.decode("[" .. element:sub(1, closing) .. "]")[1]
    if not values[name] then
      names[#names + 1] = name
    end
    values[name] = trimmed(element, element:find(":", closing, true) + 1, #element)
  end
  return names, values
end

local function object_text(names, values)
  local members = {}
  for _, name in ipairs(names) do
    members[#members + 1] = cjson.encode(name) .. ":" .. values[name]
  end
  return "{" .. table.concat(members, ",") .. "}"
end
