-- Read who waits on other shards for the end of a run, and how it has ended.
-- include: event push reserve timers queue limits slots pending grant dispatch
-- more: enqueue waits
-- ARGV[7] run id
-- Derives :waiters:<run>, :run:<id>.
-- Returns {1, {value JSON, waiter, ...}}: a waiter is "<run>\n<wait>\n<index>".
return { 1, { more().end_of(ARGV[7]), unpack(redis.call("SMEMBERS", base .. ":waiters:" .. ARGV[7])) }, outbox }
