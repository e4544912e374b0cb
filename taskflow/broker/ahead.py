"""Tickets that a node has taken before it can start them, so that the next one is at hand when a slot is freed.

Without it a child idles for a round trip to the broker after each run. A node takes ahead what it starts within 10 ms
at its present pace: none when its runs are long. What it has not started after 100 ms, because they became long, goes
back to the front of its list, where other nodes find it.
"""

from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import Any, Final

PACE_SECONDS: Final = 0.01
HOLD_SECONDS: Final = 0.1
_SHORTEST: Final = 0.001  # a pace is not measured over less

PutBack = Callable[[str, Iterable[str | bytes]], None]


class Ahead:
    """What one channel has taken ahead, all from one list. On the hub's thread only."""

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
        """Return how many tickets the command that is sent now may take beyond the free slots."""
        now = monotonic()
        pace = self._started / max(now - self._since, _SHORTEST)
        self._started, self._since = 0, now
        self._most = int(pace * PACE_SECONDS)
        return self._most

    def started(self) -> None:
        """Say that a message was started."""
        self._started += 1

    def keep(self, key: str, queue: str, texts: deque[str | bytes]) -> None:
        """Keep the oldest messages of a reply for slots to come, and put the others back."""
        self._key, self._queue = key, queue
        while texts and len(self._texts) < self._most:
            self._texts.append(texts.popleft())
        if texts:
            self._put_back(key, texts)
        if self._texts:
            self._timer = self._hub.call_later(HOLD_SECONDS, self.give_back)

    def take(self) -> tuple[str, str, deque[str | bytes]]:
        """Return what is kept, with its list and Celery queue, and keep it no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        texts, self._texts = self._texts, deque()
        return self._key, self._queue, texts

    def give_back(self) -> None:
        """Put what is kept back to the front of its list."""
        key, _, texts = self.take()
        if texts:
            self._put_back(key, texts)

    def __len__(self) -> int:
        return len(self._texts)
