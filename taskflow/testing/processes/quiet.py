"""Whether anything goes on in an environment whose runs real workers execute."""

from collections.abc import Sequence
from typing import Any, Final

from taskflow.store.sync_store import Store

_GOES_ON: Final = """
local base = KEYS[1]
for index = 2, #KEYS do
  if redis.call("LLEN", KEYS[index]) > 0 then
    return "a message in " .. KEYS[index]
  end
end
if redis.call("HLEN", "unacked") > 0 then
  return "a message that a worker has taken"
end
for _, name in ipairs({ ":effects", ":canvas" }) do
  if redis.call("EXISTS", base .. name) == 1 then
    return "work of upkeep in " .. name
  end
end
for _, queue in ipairs(redis.call("ZRANGE", base .. ":ticket_queues", 0, -1)) do
  if redis.call("ZCARD", base .. ":tickets:" .. queue) > 0 then
    return "a ticket of " .. queue
  end
end
for _, id in ipairs(redis.call("ZRANGE", base .. ":live", 0, -1)) do
  local run = redis.call("HMGET", base .. ":run:" .. id, "status", "ticket")
  if run[1] == "EXECUTING" or run[1] == "REATTEMPTING" or run[2] then
    return "run " .. id .. ", which is " .. run[1]
  end
end
for _, node in ipairs(redis.call("ZRANGE", base .. ":nodes", 0, -1)) do
  for _, id in ipairs(redis.call("HKEYS", base .. ":node:" .. node .. ":runs")) do
    local status = redis.call("HGET", base .. ":run:" .. id, "status")
    if status and status ~= "WAITING" then
      return "run " .. id .. ", which is " .. status
    end
  end
end
return ""
"""


def goes_on(store: Store, lists: Sequence[str]) -> str:
    """Name something that goes on by itself, "" when nothing does.

    Args:
        lists: The broker's lists.
    """
    base = store.config.base(0)
    reply: Any = store.send([("EVAL", _GOES_ON, 1 + len(lists), base, *lists)])[0]
    if isinstance(reply, Exception):
        raise reply
    return str(reply.decode())
