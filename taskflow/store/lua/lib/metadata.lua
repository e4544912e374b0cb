-- Apply an operation {kind, path, value as JSON text} to metadata, which `members_of` has cut into names and values.
local function is_same_json(one, other)
  return one == other or cjson.decode("[" .. one .. "]")[1] == cjson.decode("[" .. other .. "]")[1]
end

-- Each takes the old value's text (nil for none) and returns the new one (nil for none); and true as well when the old value
-- does not fit the operation.
local ACTS = {}

function ACTS.set(_, value)
  return value
end

function ACTS.delete()
  return nil
end

function ACTS.append(old, value)
  if not old or old:find("^%[%s*%]$") then
    return "[" .. value .. "]"
  end
  return (old:sub(1, 1) == "[" and old:sub(1, -2) or "[" .. old) .. "," .. value .. "]"
end

function ACTS.remove(old, value)
  if old and old:sub(1, 1) ~= "[" then
    return old, true
  end
  local kept = {}
  for _, element in ipairs(old and elements_of(old) or {}) do
    kept[#kept + 1] = not is_same_json(element, value) and element or nil
  end
  return old and "[" .. table.concat(kept, ",") .. "]"
end

function ACTS.increment(old, value)
  local number = tonumber(old or "0")
  local sum = number and number + tonumber(value)
  if not sum or sum ~= sum or math.abs(sum) == math.huge then
    return old, true
  end
  local is_whole = not ((old or "") .. value):find("[.eE]") and math.abs(sum) <= 9007199254740992
  return string.format(is_whole and "%.0f" or "%.17g", sum)
end

-- Apply an operation to the member that its path names from `level` on. Returns true when it does not fit the old value,
-- which then stays.
local function apply(names, values, operation, level)
  local name = operation[2][level]
  local old, new, is_misfit = values[name], nil, nil
  if level == #operation[2] then
    new, is_misfit = ACTS[operation[1]](old, operation[3])
  elseif old and old:sub(1, 1) ~= "{" then
    return true
  elseif old or (operation[1] ~= "delete" and operation[1] ~= "remove") then
    local inner_names, inner_values = members_of(old or "{}")
    is_misfit = apply(inner_names, inner_values, operation, level + 1)
    new = object_text(inner_names, inner_values)
  end
  if is_misfit then
    return true
  end
  values[name] = new
  if new and not old then
    names[#names + 1] = name
  elseif old and not new then
    for index, other in ipairs(names) do
      if other == name then
        table.remove(names, index)
        break
      end
    end
  end
end
