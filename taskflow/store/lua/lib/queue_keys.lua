-- Concurrency keys of a queue, for people. Nothing on a run's way keeps an index of them. Derives :queue:<queue>:turns,
-- :queue:<queue>:holders, :blocked:<class>, :timers, :queue:<queue>:classes.

-- Returns the keys that may have runs, at most `most`: those with a turn, those that hold a slot, those that wait for room in
-- a class, and those that wait for their rate. The first of them is "", the runs without a key.
local function known_keys(queue, most)
  local key, prefix = queue_key(queue), queue .. "\n"
  local keys, seen = { "" }, { [""] = true }
  local function add(found, start)
    for _, member in ipairs(found) do
      local name = start == "" and member or member:sub(1, #start) == start and member:sub(#start + 1)
      if name and not seen[name] and #keys < most then
        seen[name] = true
        keys[#keys + 1] = name
      end
    end
  end
  add(redis.call("ZRANGE", key .. ":turns", 0, most), "")
  add(redis.call("HVALS", key .. ":holders"), "")
  for _, pending_class in ipairs(redis.call("SMEMBERS", key .. ":classes")) do
    add(redis.call("SRANDMEMBER", base .. ":blocked:" .. class_of(pending_class), most), prefix)
  end
  if redis.call("HEXISTS", key, "rate") == 1 then
    add(redis.call("ZRANGEBYSCORE", base .. ":timers", "-inf", "+inf", "LIMIT", 0, most), "rate:" .. prefix)
  end
  return keys
end

-- Returns the oldest pending run of a key and its place in the order, nothing when none is pending; and how many are.
local function oldest_of_key(queue, concurrency_key, classes)
  local oldest, order, pending = nil, nil, 0
  for _, pending_class in ipairs(classes) do
    local of_class = pending_key(queue, pending_class, concurrency_key)
    local head = redis.call("ZRANGE", of_class, 0, 0, "WITHSCORES")
    if head[1] then
      pending = pending + redis.call("ZCARD", of_class)
      if not order or tonumber(head[2]) < order then
        oldest, order = head[1], tonumber(head[2])
      end
    end
  end
  return oldest, order, pending
end
