-- Complete an item of a run's wait, once. The run goes on when it was the last one.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- more: enqueue waits
-- ARGV[7] run id  [8] wait  [9] index of the item  [10] value, JSON
-- Derives :waits:<run>.
-- Returns {1, 1}, also when nobody waits for it any more.
more().deliver(ARGV[7], ARGV[8], ARGV[9], ARGV[10])
return { 1, 1, outbox }
