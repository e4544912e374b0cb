-- Cancel a run. What its children do follows in another operation, for which an entry stays in :effects.
-- include: event push reserve timers queue limits slots pending grant dispatch executing close release hooks cancel
-- more: enqueue waits
-- ARGV[7] run id  [8] reason as error JSON
-- Derives :run:<id>.
-- Returns {1, "CANCELED"} when this call canceled it, {0, status} when it had ended or is unknown ("MISSING").
local is_ended, status = end_run(ARGV[7], "CANCELED", ARGV[8])
return { is_ended and 1 or 0, status, outbox }
