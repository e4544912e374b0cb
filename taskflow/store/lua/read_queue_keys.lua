-- Read a page of a queue's concurrency keys: those whose runs have waited longest first, then those with nothing queued.
-- ARGV[7] queue  [8] most: the most keys of a page  [9] after_order, "" for the first page  [10] after_key
-- Derives :queue:<queue>:classes, :queue:<queue>:slots:<key>, :run:<id>.
-- Returns {1, {limit of a key or "", keys with queued runs, keys without, list of {key, queued, place of its oldest run in the
--   order in microseconds or "", priority of that run in microseconds, slots}}}. KEYS_READ keys are looked at.
local KEYS_READ = 2000
local classes, found = redis.call("SMEMBERS", queue_key(queue) .. ":classes"), {}
local with_queued, idle = 0, 0
for _, concurrency_key in ipairs(known_keys(queue, KEYS_READ)) do
  local id, order, pending = oldest_of_key(queue, concurrency_key, classes)
  local used = slots_used(queue, concurrency_key)
  if concurrency_key ~= "" or pending > 0 then
    found[#found + 1] = { key = concurrency_key, id = id, order = order or math.huge, pending = pending, used = used }
    with_queued, idle = with_queued + (id and 1 or 0), idle + (id and 0 or 1)
  end
end
table.sort(found, function(one, other)
  return one.order < other.order or one.order == other.order and one.key < other.key
end)
local first, rows = tonumber(after_order) or (after_order == "idle" and math.huge), {}
for _, each in ipairs(found) do
  local is_behind = not first or each.order > first or each.order == first and each.key > after_key
  if is_behind and #rows < tonumber(most) then
    local priority = each.id and redis.call("HGET", run_key(each.id), "priority") or "0"
    local place = each.id and string.format("%.0f", each.order) or ""
    rows[#rows + 1] = { each.key, each.pending, place, priority, each.used }
  end
end
local per_key = read_limits(queue).per_key
return { 1, { per_key < math.huge and per_key or "", with_queued, idle, rows }, outbox }
