-- Read the record of a delivery.
-- ARGV[7] id of the delivery
-- Derives :delivery:<id>.
-- Returns {1, fields and values}, {0, {}} for an unknown one.
local record = redis.call("HGETALL", delivery_key(id))
return { #record > 0 and 1 or 0, record, outbox }
