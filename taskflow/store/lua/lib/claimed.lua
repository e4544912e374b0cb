-- What a claim's reply holds.
local CLAIM_FIELDS = {
  "claim", "attempt", "failed", "max_attempts", "created", "payload", "tags", "key", "queue", "started", "class", "ckey",
  "test", "replay_of", "parent", "root", "batch", "priority", "max_duration", "status", "error", "output",
  "metadata", "order", "resumed", "computed",
}

local function claimed(code, id)
  return { code, redis.call("HMGET", run_key(id), unpack(CLAIM_FIELDS)), outbox }
end
