-- End an attempt that does not end its run. The last attempt is read from the run's own fields. Derives :run:<id>.
local function record_attempt(key, run, outcome, error)
  redis.call(
    "HSET", key, "attempt:" .. run.attempt,
    string.format(
      '{"claim":%s,"node":"%s","started":%s,"finished":%d,"outcome":"%s","error":%s}',
      run.claim, run.node, run.attempt_started, now, outcome, error ~= "" and error or "null"
    )
  )
end

-- Forget what an attempt waits for, because the next one opens waits of its own. A durable run goes on with those it has.
local function forget_waits(id, run)
  redis.call("HDEL", run_key(id), "parked", "resumed", "computed", "unloading", "ready")
  if redis.call("HEXISTS", run_key(id), "waits") == 1 and not run.durable then
    drop_waits(id)
  end
end
