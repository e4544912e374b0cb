-- Read who is still to be told of the end of a run or a token, and how it has ended.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- more: enqueue waits
-- ARGV[7] run or token id
-- Derives :waiters:<source>, :run:<id>, :token:<id>.
-- Returns {1, {value JSON, waiter, ...}}: a waiter is "<run>\n<wait>\n<index>".
local found = redis.call("SMEMBERS", base .. ":waiters:" .. ARGV[7])
table.insert(found, 1, more().end_of(ARGV[7]))
return { 1, found, outbox }
