-- Keys of queues. A queue is governed when it has a hash, or the environment has one: its runs wait in its pending order.
-- Derives :queue:<queue>, :environment.
local function queue_key(queue)
  if queue:find(":", 1, true) then -- a task's id may hold colons, which separate the parts of keys
    queue = queue:gsub(":", "%%3A")
  end
  return base .. ":queue:" .. queue
end

local function is_governed(queue)
  return redis.call("EXISTS", queue_key(queue), base .. ":environment") > 0
end
