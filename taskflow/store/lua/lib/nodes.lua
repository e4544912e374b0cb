-- Take a node off its Celery queues, and forget it. Derives :nodes, :node:<id>, :node:<id>:runs, :node:<id>:inbox,
-- :serving:<Celery queue>, :deserted, :suspects, :ticket_queues, :versions:<queue>@<version>, :knows:<Celery queue>.
local function forget_version(kin, queue)
  redis.call("SREM", base .. ":versions:" .. kin, queue)
  redis.call("DEL", base .. ":knows:" .. queue)
  wake(now) -- its runs are not to wait for a version that has no node
end

local function desert_queues(node)
  local queues = redis.call("HGET", base .. ":node:" .. node, "queues")
  for _, queue in ipairs(cjson.decode(queues or "[]")) do
    local serving = base .. ":serving:" .. queue
    redis.call("HDEL", serving, node)
    if redis.call("EXISTS", serving) == 0 then
      redis.call("SADD", base .. ":deserted", queue)
      local kin = kin_of(queue)
      if kin then
        forget_version(kin, queue)
      end
    end
    -- The next pass publishes again the tickets that the node had taken from the broker and had not claimed.
    redis.call("HSET", base .. ":suspects", queue, 1)
    redis.call("ZADD", base .. ":ticket_queues", "XX", now, queue)
  end
  redis.call("HDEL", base .. ":node:" .. node, "queues")
end

local function forget_node(node)
  redis.call("ZREM", base .. ":nodes", node)
  redis.call("DEL", base .. ":node:" .. node, base .. ":node:" .. node .. ":inbox", base .. ":node:" .. node .. ":runs")
end
