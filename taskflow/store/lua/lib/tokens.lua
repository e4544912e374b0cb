-- Tokens: what somebody completes, once, while runs wait for it. Derives :token:<id>, :tokens, :token_key:<digest>, :waiters:<token>.
-- Fields of :token:<id>: status, created, timeout, completed, output, tags, key, digest, keep (ms it stays when it is done).
local function token_key(id)
  return base .. ":token:" .. id
end

-- End a token that waits. Its record stays for a while, then the token's timer forgets it.
local function end_token(id, status, ...)
  local key = token_key(id)
  redis.call("HSET", key, "status", status, "completed", now_text, ...)
  local kept = redis.call("HMGET", key, "keep", "digest")
  redis.call("PEXPIRE", key, kept[1])
  if kept[2] and redis.call("GET", base .. ":token_key:" .. kept[2]) == id then
    redis.call("PEXPIRE", base .. ":token_key:" .. kept[2], kept[1], "LT")
  end
  set_timer("token:" .. id, now + tonumber(kept[1]))
  tell_waiters(id)
end

-- Its time is up: for being completed, or for being remembered.
local function fire_token(id)
  if redis.call("HGET", token_key(id), "status") == "WAITING" then
    end_token(id, "TIMED_OUT")
  else
    redis.call("ZREM", base .. ":tokens", id)
    redis.call("DEL", token_key(id))
  end
end
