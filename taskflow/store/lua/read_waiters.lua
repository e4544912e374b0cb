-- Read the waiters that a run or token has still to notify, and how it has ended.
-- ARGV[7] source: run or token id
-- Derives :waiters:<source>, :run:<id>, :token:<id>.
-- Returns {1, {value JSON, waiter, ...}}: a waiter is "<run>\n<wait>\n<index>".
local waiters = redis.call("SMEMBERS", base .. ":waiters:" .. source)
table.insert(waiters, 1, end_json(source))
return { 1, waiters, outbox }
