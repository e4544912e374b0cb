"""The timers of a store, for tests: the next instant at which something is due, and keys that expire."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from taskflow.store.keys import WAKE
from taskflow.store.sync_store import Store

_INDEXES: Final = ("delayed", "timers", "schedules")

_HASTEN: Final = """
local hastened = 0
for _, id in ipairs(redis.call("ZRANGEBYSCORE", KEYS[1] .. ":delayed", "(" .. ARGV[1], "+inf")) do
  if redis.call("HGET", KEYS[1] .. ":run:" .. id, "status") == "REATTEMPTING" then
    redis.call("ZADD", KEYS[1] .. ":delayed", ARGV[1], id)
    hastened = hastened + 1
  end
end
return hastened"""

_AGE = """
local cursor, delta = "0", tonumber(ARGV[1])
repeat
  local page = redis.call("SCAN", cursor, "MATCH", KEYS[1] .. ":*", "COUNT", 1000)
  cursor = page[1]
  for _, key in ipairs(page[2]) do
    local left = redis.call("PTTL", key)
    if left >= 0 and left <= delta then
      redis.call("DEL", key)
    elseif left > 0 then
      redis.call("PEXPIRE", key, left - delta)
    end
  end
until cursor == "0"
return 1"""


class StoreTimers:
    """The timers of one shard."""

    def __init__(self, store: Store, shard: int = 0) -> None:
        self._store, self._base = store, store.config.base(shard)

    def heads(self) -> list[tuple[Any, ...]]:
        """Return the commands that read what is due first."""
        return [("ZRANGE", f"{self._base}:{name}", 0, 0, "WITHSCORES") for name in _INDEXES]

    def next_due(self) -> datetime | None:
        """Return the instant at which something is due next, None when nothing waits for time."""
        return earliest(self._store.send(self.heads()))

    def hasten_retries(self, now_micros: int) -> int:
        """Make runs due whose next attempt waits for its delay. Returns how many."""
        (count,) = self._store.send([("EVAL", _HASTEN, 1, self._base, now_micros // 1000)])
        return int(count)

    def age(self, duration: timedelta) -> None:
        """Let the keys of the store expire as if this time had passed. The server's own clock does not move."""
        self._store.send([("EVAL", _AGE, 1, self._base, duration // timedelta(milliseconds=1))])

    def wake(self) -> None:
        """Have the upkeep of workers look at the time again."""
        self._store.send([("XADD", f"{self._base}:{WAKE}", "MAXLEN", "~", 16, "*", "due", 0)])


def earliest(heads: list[Any]) -> datetime | None:
    """Return the earliest instant of the replies to ``heads``."""
    due = [float(head[1]) for head in heads if head]
    return datetime.fromtimestamp(min(due) / 1000, UTC) if due else None
