-- Apply one operation {kind, path, value as JSON text} to metadata taken apart by `members`.

local function is_same(one, other)
  return one == other or cjson.decode("[" .. one .. "]")[1] == cjson.decode("[" .. other .. "]")[1]
end

-- Each gets the old value's text (nil for none) and returns the new one (nil for none), or nothing fitting and true.
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
  for _, one in ipairs(old and parts(old) or {}) do
    kept[#kept + 1] = not is_same(one, value) and one or nil
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

-- Returns true when the operation does not fit what is there, which then stays.
local function change(names, values, operation, level)
  local name = operation[2][level]
  local old, new, misfit = values[name], nil, nil
  if level == #operation[2] then
    new, misfit = ACTS[operation[1]](old, operation[3])
  elseif old and old:sub(1, 1) ~= "{" then
    return true
  elseif old or (operation[1] ~= "delete" and operation[1] ~= "remove") then
    local inner_names, inner_values = members(old or "{}")
    misfit = change(inner_names, inner_values, operation, level + 1)
    new = object(inner_names, inner_values)
  end
  if misfit then
    return true
  end
  values[name] = new
  if new and not old then
    names[#names + 1] = name
  elseif old and not new then
    for place, other in ipairs(names) do
      if other == name then
        table.remove(names, place)
        break
      end
    end
  end
end
