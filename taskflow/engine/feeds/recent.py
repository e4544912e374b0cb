"""The newest events of one shard, in memory, so that readers that come back find what they missed. No I/O."""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final

from taskflow.store.events import Event

MOST_EVENTS: Final = 20_000
KINDS: Final = frozenset({"status", "rescheduled", "metadata", "tags", "stream"})
"""Kinds of events that change a run as readers see it: not its log lines and spans."""


class RecentEvents:
    """Events by position and by run.

    Attributes:
        floor: Every event behind this position is here.
        newest: The position up to which the stream was read.
    """

    def __init__(self, start: int, most: int = MOST_EVENTS) -> None:
        self.floor = self.newest = start
        self._most = most
        self._events: deque[Event] = deque()
        self._by_run: dict[str, deque[Event]] = {}

    def add(self, event: Event) -> None:
        """Add the next event."""
        self.newest = event.position
        if event.kind not in KINDS:
            return
        self._events.append(event)
        self._by_run.setdefault(event.run_id, deque()).append(event)
        if len(self._events) > self._most:
            self._forget(self._events.popleft())

    def add_older(self, events: Sequence[Event], floor: int) -> None:
        """Add all events between a position and the floor, which the position replaces."""
        for event in reversed(events):
            if event.kind in KINDS:
                self._events.appendleft(event)
                self._by_run.setdefault(event.run_id, deque()).appendleft(event)
        self.floor = floor
        while len(self._events) > self._most:
            self._forget(self._events.popleft())

    def of(self, run_id: str, after: int) -> list[Event]:
        """Return the events of a run behind a position, oldest first."""
        return [event for event in self._by_run.get(run_id, ()) if event.position > after]

    def changed(self, after: int) -> set[str]:
        """Return the runs with events behind a position."""
        return {event.run_id for event in self._after(after)}

    def newest_ms(self, run_id: str) -> int:
        """Return when the newest event of a run was written, 0 without one."""
        events = self._by_run.get(run_id)
        return events[-1].at_ms if events else 0

    def _after(self, position: int) -> Iterator[Event]:
        for event in reversed(self._events):
            if event.position <= position:
                return
            yield event

    def _forget(self, event: Event) -> None:
        self.floor = event.position
        events = self._by_run[event.run_id]
        events.popleft()
        if not events:
            del self._by_run[event.run_id]
