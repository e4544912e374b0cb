-- Forget a node. Derives :nodes, :node:<id>, :node:<id>:runs, :node:<id>:inbox, :serving:<Celery queue>, :deserted,
-- :versions:<queue>@<version>, :knows:<Celery queue>.
local function forget_version(kin, queue)
  redis.call("SREM", base .. ":versions:" .. kin, queue)
  redis.call("DEL", base .. ":knows:" .. queue)
  wake(now) -- what stands on its queue is not to wait for a version that nobody runs
end

local function desert(node)
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
    -- What the node had taken from the broker and not claimed is published again at the next pass.
    redis.call("HSET", base .. ":suspects", queue, 1)
    redis.call("ZADD", base .. ":ticket_queues", "XX", now, queue)
  end
  redis.call("HDEL", base .. ":node:" .. node, "queues")
end

-- Give up to `count` of its runs up. Returns how many runs are left.
local function give_up_node(node, count, outcome, error)
  local runs = redis.call("HKEYS", base .. ":node:" .. node .. ":runs")
  for index = 1, math.min(#runs, count) do
    give_up(runs[index], outcome, error)
    redis.call("HDEL", base .. ":node:" .. node .. ":runs", runs[index])
  end
  return math.max(0, #runs - count)
end

local function forget(node)
  redis.call("ZREM", base .. ":nodes", node)
  redis.call("DEL", base .. ":node:" .. node, base .. ":node:" .. node .. ":inbox", base .. ":node:" .. node .. ":runs")
end
