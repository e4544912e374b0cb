-- Make a run, once per id, and start it when it may start. A repeated call with the same id changes nothing.
-- include: event queue push reserve
-- more: timers limits slots pending dispatch enqueue delay debounce
-- ARGV[7] run id  [8] task  [9] payload JSON  [10] redacted args or ""  [11] queue  [12] its limits as fields of
--   :queue:<queue>, JSON, or "" when it has none declared here  [13] class "<machine>.<executor>"  [14] max_attempts
--   [15] tags JSON or ""  [16] due ms, "+<ms>" from now, or ""  [17] "<task>:<digest>" of the idempotency key or ""
--   [18] the key itself or ""  [19] JSON object of further fields of the run or ""  [20] debounce JSON or ""
-- Derives :run:<id>, :live, :key:<task>:<digest>, :children:<run>.
-- Returns {1, run id} when made, {2, run id} when this id, the idempotency key or the debounce key has a run already.
local id, task, payload, args, queue, limits, class = ARGV[7], ARGV[8], ARGV[9], ARGV[10], ARGV[11], ARGV[12], ARGV[13]
local key, idempotency = run_key(id), ARGV[17]
if idempotency ~= "" then
  local holder = redis.call("GET", base .. ":key:" .. idempotency)
  if holder and redis.call("EXISTS", run_key(holder)) == 1 then
    return { 2, holder, outbox }
  end
end
if redis.call("EXISTS", key) == 1 then
  return { 2, id, outbox }
end
local debounced = ARGV[20] ~= "" and more().debounce(id, cjson.decode(ARGV[20]))
if debounced then
  return { 2, debounced, outbox }
end
local created = string.format("%.0f", now_us)
local further = ARGV[19] ~= "" and cjson.decode(ARGV[19]) or {}
further.args, further.tags, further.idempotency, further.key = args, ARGV[15], idempotency, ARGV[18]
local fields = {
  "task", task, "payload", payload, "queue", queue, "class", class, "max_attempts", ARGV[14], "created", created:sub(1, -4),
}
for name, value in pairs(further) do
  if value ~= "" then
    fields[#fields + 1], fields[#fields + 2] = name, value
  end
end
if idempotency ~= "" then
  redis.call("SET", base .. ":key:" .. idempotency, id)
end
if further.parent then
  redis.call("SADD", base .. ":children:" .. further.parent, id)
end
redis.call("ZADD", base .. ":live", created, id)
if limits ~= "" then
  more().declare_limits(queue, cjson.decode(limits), false)
end
local due = ARGV[16]:sub(1, 1) == "+" and now + tonumber(ARGV[16]) or tonumber(ARGV[16])
if due and due > now then
  set_status(id, queue, "", "DELAYED", "due", string.format("%d", due), unpack(fields))
  more().delay(id, due)
elseif not (further.ttl or further.priority or is_governed(queue)) then
  local celery_queue = environment .. "." .. class
  set_status(id, queue, "", "QUEUED", "order", created, "reservation", 1, "ticket", celery_queue, unpack(fields))
  publish(id, { task, payload, args ~= "" and args }, 1, celery_queue, false)
else
  local order = string.format("%.0f", now_us - tonumber(further.priority or "0"))
  redis.call("HSET", key, "order", order, unpack(fields))
  more().enqueue(id, false)
end
return { 1, id, outbox }
