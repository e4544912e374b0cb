-- Instants at which upkeep has something to do. Derives :timers, :wake.
-- Members: "ttl:<run>" (expires unless it has started), "stop:<run>" (has computed long enough), "rate:<queue>\n<key>",
-- "wait:<run>\n<wait>", "token:<token>" (times out, or is forgotten), "look:<queue>" and "room:<class>" (a dispatch had more to look at than one script may), "patience:<run>" (ends it unless a
-- worker knows it by now), "task:<task>" and "queue:<queue>" (registered just now: runs may have waited for it).
local STOP_GRACE_MS = 2000 -- beyond max_duration: the code stops itself first

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

-- A task or queue ("task:<task>", "queue:<queue>") is known from now on.
local function awaken(part)
  if redis.call("EXISTS", base .. ":awaiting:" .. part) == 1 then
    set_timer(part, now)
  end
end

local function clear_timer(member)
  redis.call("ZREM", base .. ":timers", member)
end
