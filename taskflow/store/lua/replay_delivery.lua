-- Make another run of a delivery, once per run id, and name it in the record.
-- ARGV[7] id of the delivery  [8...] run: the arguments of the run, see lib/make.lua
-- Derives :delivery:<id>, and what lib/make.lua does.
-- Returns {1, run id}, {0, "MISSING"} when there is no such delivery.
local key = delivery_key(id)
if redis.call("EXISTS", key) == 0 then
  return { 0, "MISSING", outbox }
end
local code, run_id = make_run(8)
if code == 1 then -- else the reply to this call was lost
  local replays = redis.call("HGET", key, "replays")
  redis.call("HSET", key, "replays", replays and replays .. "," .. run_id or run_id)
end
return { 1, run_id, outbox }
