-- The number of a new claim, and the reply to it: code, and the values of CLAIM_FIELDS.

-- It is an instant, so that a store that has lost its last second gives no number twice, and above the one before.
local function next_claim(before)
  if before and tonumber(before) >= now_us then
    return string.format("%.0f", tonumber(before) + 1)
  end
  return now_us_text
end

local CLAIM_FIELDS = {
  "claim", "attempt", "failed", "max_attempts", "created", "payload", "tags", "key", "queue", "started", "class", "ckey",
  "test", "replay_of", "parent", "root", "batch", "priority", "max_duration", "status", "error", "output",
  "metadata", "order", "resumed", "computed", "trace",
}

local function claim_reply(code, id)
  return { code, redis.call("HMGET", run_key(id), unpack(CLAIM_FIELDS)), outbox }
end
