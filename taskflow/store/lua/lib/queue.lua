-- A queue is governed when it has a hash, or the environment has: its runs wait in its pending order.
-- Derives :queue:<queue>, :environment.
local function queue_key(queue)
  return base .. ":queue:" .. queue
end

local function is_governed(queue)
  return redis.call("EXISTS", queue_key(queue), base .. ":environment") > 0
end
