-- The reply to a claim: code, and the values of CLAIM_FIELDS.
local CLAIM_FIELDS = {
  "claim", "attempt", "failed", "max_attempts", "created", "payload", "tags", "key", "queue", "started", "class", "ckey",
  "test", "replay_of", "parent", "root", "batch", "priority", "max_duration", "status", "error", "output",
  "metadata", "order", "resumed", "computed",
}

local function claim_reply(code, id)
  return { code, redis.call("HMGET", run_key(id), unpack(CLAIM_FIELDS)), outbox }
end
