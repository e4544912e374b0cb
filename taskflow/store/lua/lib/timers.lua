-- Timers: instants at which upkeep has something to do. Derives :timers, :wake, :awaiting:<task or queue>.
-- Members: "ttl:<run>" (expires unless it has started), "stop:<run>" (has computed long enough), "rate:<queue>\n<key>",
-- "wait:<run>\n<wait>", "token:<token>" (times out, or is forgotten), "look:<queue>" and "room:<class>" (a dispatch had
-- more to look at than one script may), "patience:<run>" (expires unless a worker has registered its task and queue),
-- "task:<task>" and "queue:<queue>" (a worker has just registered it: runs may wait for it), "code:<offset> <task>" (a node
-- has registered, whose code may fit journals that other code did not).
local STOP_GRACE_MS = 2000 -- beyond max_duration, because the code stops itself first

local function wake(due)
  redis.call("XADD", base .. ":wake", "MAXLEN", "~", 16, "*", "due", due)
  redis.call("PEXPIRE", base .. ":wake", 86400000)
end

local function set_timer(member, due)
  redis.call("ZADD", base .. ":timers", due, member)
  if redis.call("ZRANGE", base .. ":timers", 0, 0)[1] == member then
    wake(due)
  end
end

-- Have upkeep start the runs that wait for a task or queue: "task:<task>", "queue:<queue>".
local function awaken(awaited)
  if redis.call("EXISTS", base .. ":awaiting:" .. awaited) == 1 then
    set_timer(awaited, now)
  end
end

local function clear_timer(member)
  redis.call("ZREM", base .. ":timers", member)
end
