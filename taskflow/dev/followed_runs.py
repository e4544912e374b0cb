"""Following all runs of the environment: reads the store's events and shows their lines, in a thread."""

import contextlib
import queue
import threading
from typing import Final

from taskflow.dev.run_lines import Page, RunLines
from taskflow.dev.terminal import Terminal
from taskflow.errors import StoreUnavailableError
from taskflow.models import Run
from taskflow.store import operations
from taskflow.store.events import Event, event_of
from taskflow.store.followers import EVERY_RUN, StreamEntry, StreamFollower
from taskflow.store.keys import EVENTS
from taskflow.store.sync_store import Store
from taskflow.store.wire import StoreConfig, locate

_NAME: Final = "taskflow-dev-runs"
_MOST_AT_ONCE: Final = 100
"""Events whose records are read in one round trip."""


class FollowedRuns:
    """The runs of an environment, from ``start`` on."""

    def __init__(self, config: StoreConfig, page: Page, terminal: Terminal) -> None:
        self._store = Store(config)
        self._lines, self._terminal = RunLines(page), terminal
        self._events: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._follower = StreamFollower(self._store, EVENTS, _NAME)
        self._following = contextlib.ExitStack()
        self._thread = threading.Thread(target=self._run, name=_NAME, daemon=True)

    def start(self) -> None:
        """Begin.

        Raises:
            StoreUnavailableError: The store did not answer.
        """
        self._following.enter_context(self._follower.following(EVERY_RUN, self._put))
        self._follower.listen(range(self._store.config.shards))
        self._thread.start()

    def close(self) -> None:
        """Show what was read, and end."""
        self._follower.close()
        self._following.close()
        self._events.put(None)
        if self._thread.is_alive():
            self._thread.join(5)
        self._store.close()

    def _put(self, entry: StreamEntry) -> None:
        self._events.put(event_of(entry.id, entry.fields))

    def _run(self) -> None:
        while (event := self._events.get()) is not None:
            events = [event]
            while len(events) < _MOST_AT_ONCE and not self._events.empty():
                following = self._events.get()
                if following is None:
                    self._events.put(None)
                    break
                events.append(following)
            self._show(events)

    def _show(self, events: list[Event]) -> None:
        records = self._read(dict.fromkeys(event.run_id for event in events if self._lines.needs_record(event)))
        for event in events:
            line = self._lines.line(event, records.get(event.run_id))
            if line is not None:
                self._terminal.show(line.text, at=line.at)

    def _read(self, run_ids: "dict[str, None]") -> dict[str, Run]:
        shards = range(self._store.config.shards)
        here = {shard: [each for each in run_ids if shard in locate(each, len(shards))] for shard in shards}
        try:
            parts = self._store.run_many(
                [(operations.runs.read_runs(ids), shard) for shard, ids in here.items() if ids]
            )
        except StoreUnavailableError:
            return {}
        return {run.id: run for part in parts if not isinstance(part, Exception) for run in part}
