-- Complete an item of a run's wait, once. The run goes on when it was the last one.
-- ARGV[7] id of the run  [8] wait  [9] index of the item  [10] value, JSON
-- Derives :waits:<run>.
-- Returns {1, 1}, also when the wait was forgotten.
deliver(id, wait, index, value)
return { 1, 1, outbox }
