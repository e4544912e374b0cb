"""Tickets that a node takes before it has a free slot for them, so that a freed slot gets its next run at once.

Without them a child idles for a round trip to the broker after each run. A node takes ahead as many tickets as it
starts within 10 ms at its present pace: none when its runs are long. A ticket that is not started after 100 ms, because
the runs became long, goes back to the front of its list, where another node can take it.
"""

from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final

PACE_SECONDS: Final = 0.01
HOLD_SECONDS: Final = 0.1
_SHORTEST: Final = 0.001  # seconds; over a shorter time a pace cannot be measured

PutBack = Callable[[str, Iterable[str | bytes]], None]


class Ahead:
    """The tickets that one channel has taken ahead, all from one list. For the hub's thread only."""

    def __init__(self, hub: Any, put_back: PutBack) -> None:
        self._hub = hub
        self._put_back = put_back
        self._key = self._queue = ""
        self._texts: deque[str | bytes] = deque()
        self._timer: Any = None
        self._started = 0
        self._since = monotonic()
        self._most = 0

    def most(self) -> int:
        """Return the number of tickets that the next command may take beyond the free slots."""
        now = monotonic()
        pace = self._started / max(now - self._since, _SHORTEST)
        self._started, self._since = 0, now
        self._most = int(pace * PACE_SECONDS)
        return self._most

    def started(self) -> None:
        """Count a started message."""
        self._started += 1

    def keep(self, key: str, queue: str, texts: deque[str | bytes]) -> None:
        """Keep the oldest messages of a reply for the next free slots, and put the others back."""
        self._key, self._queue = key, queue
        while texts and len(self._texts) < self._most:
            self._texts.append(texts.popleft())
        if texts:
            self._put_back(key, texts)
        if self._texts:
            self._timer = self._hub.call_later(HOLD_SECONDS, self.give_back)

    def take(self) -> tuple[str, str, deque[str | bytes]]:
        """Remove all kept messages, and return their list, their Celery queue and the messages."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        texts, self._texts = self._texts, deque()
        return self._key, self._queue, texts

    def give_back(self) -> None:
        """Put all kept messages back to the front of their list."""
        key, _, texts = self.take()
        if texts:
            self._put_back(key, texts)

    def __len__(self) -> int:
        return len(self._texts)
