"""Reads traces: from the history, and from the store's stream of events behind what the history has."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.engine.lookup import Lookup
from taskflow.engine.trace.build import build
from taskflow.engine.trace.recorded import Recorded
from taskflow.engine.trace.rows import Trace
from taskflow.models import Run, RunStatus
from taskflow.seams.engine import RunRequests
from taskflow.store.events import Event, entry_id, event_of
from taskflow.store.keys import EVENTS
from taskflow.store.operations.encoding import pairs
from taskflow.store.sync_store import Store
from taskflow.store.wire import locate

_FEED_MARGIN_MS: Final = 10_000
"""Time by which the feed's parallel readers may differ."""
_LATE_MS: Final = 60_000
"""Time in which lines come after the end of a run."""
_CHILDREN: Final = 200
_CHILDREN_SECONDS: Final = 3.0
_ENTRIES: Final = 200_000


class Traces:
    """Reads the traces of runs."""

    def __init__(self, runs: RunRequests, store: Store, lookup: Lookup) -> None:
        self._runs, self._store, self._lookup = runs, store, lookup

    def trace(self, run_id: str) -> Trace:
        """Return a run's trace as it is now. A part of what happened in the last second may be missing.

        Raises:
            RunNotFoundError: No such run, in the store or the history.
            StoreUnavailableError, HistoryUnavailableError: The store or the history did not answer.
        """
        return self.follow(run_id).read()

    async def atrace(self, run_id: str) -> Trace:
        """Return a run's trace. See ``trace``. It is read in a thread."""
        return await asyncio.to_thread(self.trace, run_id)

    def follow(self, run_id: str) -> "FollowedTrace":
        """Return a reader of one trace, which reads again only what is new."""
        return FollowedTrace(run_id, self._runs, self._store, self._lookup)


class FollowedTrace:
    """Reads the trace of one run, again and again. Not thread-safe."""

    def __init__(self, run_id: str, runs: RunRequests, store: Store, lookup: Lookup) -> None:
        self._run_id, self._runs, self._store, self._lookup = run_id, runs, store, lookup
        self._recorded, self._known = Recorded(), set[int]()
        self._read_to: dict[int, str] = {}
        self._children: Sequence[Run] = ()
        self._live_children: Mapping[str, RunStatus] | None = None
        self._listed_at = 0.0

    def read(self) -> Trace:
        """Return the trace as it is now. Raises as ``Traces.trace``."""
        run = self._runs.retrieve(self._run_id)
        self._read_events(run)
        self._list_children(run)
        shown = sorted(self._children, key=lambda child: child.created_at)[:_CHILDREN]
        more = len(self._children) > _CHILDREN
        return build(run, self._recorded, shown, datetime.now(UTC), more=more)

    async def aread(self) -> Trace:
        """Return the trace as it is now, read in a thread."""
        return await asyncio.to_thread(self.read)

    def _read_events(self, run: Run) -> None:
        if not self._read_to:
            for each in self._lookup.events(run.id):
                self._add(Event(entry_id(each.position), run.id, each.kind, each.value))
            since = _milliseconds(run.created_at) - 1
            self._read_to = {
                shard: f"{max(since, self._lookup.feed_ms(shard) - _FEED_MARGIN_MS, 0)}-0"
                for shard in locate(run.id, self._store.config.shards)
            }
        for shard in self._read_to:
            for event in self._recent(run, shard):
                self._add(event)

    def _add(self, event: Event) -> None:
        if event.position not in self._known:
            self._known.add(event.position)
            self._recorded.add(event)

    def _recent(self, run: Run, shard: int) -> Iterator[Event]:
        """Yield the events of the store's stream that were not read yet."""
        until = None if run.finished_at is None else _milliseconds(run.finished_at) + _LATE_MS
        count = 0
        while count < _ENTRIES:
            entries = self._store.read_stream(EVENTS, self._read_to[shard], shard=shard)
            for name, fields in entries:
                entry = pairs(fields)
                if entry.get("run", b"").decode(errors="replace") == run.id:
                    yield event_of(name.decode(), entry)
            if not entries:
                return
            count += len(entries)
            self._read_to[shard] = entries[-1][0].decode()
            if until is not None and int(self._read_to[shard].partition("-")[0]) > until:
                return

    def _list_children(self, run: Run) -> None:
        """List the runs that it has triggered, if one of them has begun or ended, and not more often than needed."""
        has_changed = self._live_children is None or run.children.keys() != self._live_children.keys()
        is_old = bool(run.children) and time.monotonic() - self._listed_at > _CHILDREN_SECONDS
        if has_changed or is_old or run.is_finished:
            self._children = self._runs.list(_CHILDREN + 1, RunFilter(parent=run.id))
            self._live_children, self._listed_at = run.children, time.monotonic()


def _milliseconds(instant: datetime) -> int:
    return int(instant.timestamp() * 1000)
