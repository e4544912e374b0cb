-- End a run that was made of a message which may not execute: it has expired, was revoked, or its arguments do not fit.
-- ARGV[7] id of the run  [8] status  [9] error JSON
-- Derives :run:<id>.
-- Returns {1, status} when this call ended it, {0, status} when it had ended or is unknown ("MISSING").
local is_ended, found = end_run(id, status, error)
return { is_ended and 1 or 0, found, outbox }
