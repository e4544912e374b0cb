-- Keep the record of a delivery that makes no run.
-- ARGV[7] id of the delivery  [8] kept_ms: how long the record is kept  [9] record: JSON object of its fields
-- Derives :delivery:<id>, :deliveries.
-- Returns {1, id}.
write_delivery(id, kept_ms, record)
return { 1, id, outbox }
