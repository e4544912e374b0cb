-- Read the run of each queue that has waited longest to start, with what keeps it from starting.
-- ARGV[7] queue, "" for all of the shard
-- Derives :queues, :load, :queue:<queue>, :ticket_queues, :tickets:<Celery queue>, :run:<id>, :environment:slots.
-- Returns {1, {slots that the environment has given, list of {queue, slots without a key, slots, {} or {run id, {field, value,
--   ...}, {name of a fact, text, ...}, {}}}}}. Of a queue, KEYS_READ concurrency keys are looked at; of a Celery queue,
--   TICKETS_READ runs that have a ticket.
local KEYS_READ, TICKETS_READ = 300, 300
local heads = {}

local function consider(id, queue, order)
  if order and (not heads[queue] or order < heads[queue].order) then
    heads[queue] = { id = id, order = order }
  end
end

local names = queue ~= "" and { queue } or redis.call("SMEMBERS", base .. ":queues")
local has_queued, is_wanted = {}, {}
for _, name in ipairs(names) do
  is_wanted[name] = true
  has_queued[name] = tonumber(redis.call("HGET", base .. ":load", "queued:" .. name) or "0") > 0
  local classes = has_queued[name] and redis.call("SMEMBERS", queue_key(name) .. ":classes") or {}
  for _, concurrency_key in ipairs(#classes > 0 and known_keys(name, KEYS_READ) or {}) do
    local id, order = oldest_of_key(name, concurrency_key, classes)
    consider(id, name, order)
  end
end
for _, celery_queue in ipairs(redis.call("ZRANGE", base .. ":ticket_queues", 0, -1)) do
  for _, id in ipairs(redis.call("ZRANGE", base .. ":tickets:" .. celery_queue, 0, TICKETS_READ - 1)) do
    local run = fields(run_key(id), "queue", "order", "status")
    if run.status == "QUEUED" and is_wanted[run.queue] then
      consider(id, run.queue, tonumber(run.order))
    end
  end
end
local rows = {}
for _, name in ipairs(names) do
  local head = has_queued[name] and heads[name]
  rows[#rows + 1] = {
    name, slots_used(name, ""), redis.call("SCARD", queue_key(name) .. ":slots"), head and standing_of(head.id) or {},
  }
end
return { 1, { redis.call("SCARD", base .. ":environment:slots"), rows }, outbox }
