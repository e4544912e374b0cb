-- Close a session.
-- ARGV[7] digest: SHA-256 of the session's secret
-- Derives :session:<digest>.
-- Returns {1, 1} when this call did it, {0, 0} for one that was closed.
local closed = redis.call("DEL", session_key(digest))
return { closed, closed, outbox }
