-- Cancel a run. Another operation cancels its children: the run gets an entry in :effects.
-- ARGV[7] id of the run  [8] reason as error JSON  [9] by: who cancels, or ""
-- Derives :run:<id>.
-- Returns {1, "CANCELED"} when this call canceled it, {0, status} when it had ended or is unknown ("MISSING").
local is_ended, status = end_run(id, "CANCELED", reason)
if is_ended and by ~= "" then
  redis.call("HSET", run_key(id), "canceled_by", by)
end
return { is_ended and 1 or 0, status, outbox }
