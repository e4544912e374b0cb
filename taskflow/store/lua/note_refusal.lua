-- Keep what the broker said when it refused tickets, for people who ask why a run does not start.
-- ARGV[7] queue: the Celery queue  [8] said
-- Derives :refusals.
-- Returns {1, 1}.
local KEPT = 3 -- reservation timeouts: upkeep tries again after one, and is refused again or not
redis.call("HSET", base .. ":refusals", queue, now_text .. "\t" .. said)
redis.call("PEXPIRE", base .. ":refusals", KEPT * reservation_ms)
return { 1, 1, outbox }
