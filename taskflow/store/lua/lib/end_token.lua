-- End tokens. Derives :tokens, :token_key:<digest>.

-- End a token that waits, with further fields. Its record stays for a while, until the token's timer forgets it.
local function end_token(id, status, ...)
  local key = token_key(id)
  redis.call("HSET", key, "status", status, "completed", now_text, ...)
  local token = fields(key, "keep", "digest")
  redis.call("PEXPIRE", key, token.keep)
  if token.digest and redis.call("GET", base .. ":token_key:" .. token.digest) == id then
    redis.call("PEXPIRE", base .. ":token_key:" .. token.digest, token.keep, "LT")
  end
  set_timer("token:" .. id, now + tonumber(token.keep))
  notify_waiters(id)
end

-- Time a token out, or forget it when it has ended.
local function fire_token(id)
  if redis.call("HGET", token_key(id), "status") == "WAITING" then
    end_token(id, "TIMED_OUT")
  else
    redis.call("ZREM", base .. ":tokens", id)
    redis.call("DEL", token_key(id))
  end
end
