"""The store as Celery's results and canvas use it: runs, and the records that Celery keeps in addition.

A Celery id is not always that of a run: its message may not be adopted yet, or it may belong to a plain Celery task.
"""

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from taskflow.engine.caller import caller
from taskflow.engine.lookup import Lookup
from taskflow.engine.results import ResultListener
from taskflow.errors import HistoryUnavailableError, RunNotFoundError
from taskflow.models import Run, RunError
from taskflow.objects.large_values import LargeValues
from taskflow.store import operations
from taskflow.store.followers import LOOK_AGAIN_SECONDS
from taskflow.store.operations.canvas import EndedRun, Kind
from taskflow.store.sync_store import Store
from taskflow.store.wire import shard_of_queue

log = logging.getLogger("taskflow.canvas")
REVOKED = RunError("Canceled", "Revoked through Celery")
HOLD: Final = timedelta(seconds=5)
"""Time that one process has for a canvas before another may take it."""


class RunRecords:
    """Reads runs and keeps the records of Celery. Every method may raise ``StoreUnavailableError``."""

    def __init__(self, store: Store, results: ResultListener, lookup: Lookup, large_values: LargeValues) -> None:
        self._store = store
        self._results = results
        self._lookup = lookup
        self._large_values = large_values

    def find(self, run_id: str) -> Run | None:
        """Return a run, None when the store has none of this id."""
        try:
            run = self._store.run_for(run_id, operations.runs.read_run(run_id))
        except RunNotFoundError:
            return None
        return self._large_values.resolved(run)

    def find_old(self, run_id: str) -> Run | None:
        """Return a run from the history, None when the history does not have it or does not answer."""
        try:
            return self._large_values.resolved(self._lookup.retrieve(run_id))
        except RunNotFoundError:
            return None
        except HistoryUnavailableError as error:
            log.warning("history.unavailable: %s", error)
            return None

    def cancel(self, run_id: str) -> bool:
        """Cancel a run. Returns whether there is a run of this id, ended or not."""
        try:
            self._store.run_for(run_id, operations.runs.cancel_run(run_id, REVOKED, caller()))
        except RunNotFoundError:
            return False
        return True

    def wait(self, is_ready: Callable[[], bool], task_id: str, timeout: float | None) -> bool:
        """Wait until ``is_ready()``, which is called at first, at every notice of the id's end, and every 5 s.

        Returns:
            False when the time has passed.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        with self._results.watching(task_id) as ended:
            while not is_ready():
                left = LOOK_AGAIN_SECONDS if deadline is None else deadline - time.monotonic()
                if left <= 0:
                    return False
                ended.wait(min(left, LOOK_AGAIN_SECONDS))
                ended.clear()
        return True

    def keep(self, kind: Kind, value_id: str, value: str, *, is_awaited: bool = False) -> None:
        """Keep a JSON text for the retention time; "" deletes it. ``is_awaited`` wakes those who wait for a result."""
        kept = operations.canvas.keep_value(kind, value_id, value, is_awaited=is_awaited)
        self._store.run(kept, shard=self._shard(value_id))

    def kept(self, kind: Kind, value_id: str) -> str | None:
        """Return the text that is kept, None when there is none."""
        return self._store.run(operations.canvas.read_value(kind, value_id), shard=self._shard(value_id))

    def size_chord(self, group_id: str, size: int) -> None:
        """Write the number of members of a chord, before its last member can end."""
        self._store.run(operations.canvas.size_chord(group_id, size), shard=self._shard(group_id))

    def add_chord_part(self, group_id: str, task_id: str, part: bytes) -> list[bytes] | None:
        """Count a member that has ended. Returns all parts when the caller is to apply the body of the chord now."""
        added = operations.canvas.add_chord_part(group_id, task_id, part)
        return self._store.run(added, shard=self._shard(group_id))

    def close_chord(self, group_id: str) -> None:
        """Record that a chord's body was applied."""
        self._store.run(operations.canvas.close_chord(group_id), shard=self._shard(group_id))

    def claim_canvas(self, run_id: str) -> EndedRun | None:
        """Take a finished run's canvas for ``HOLD``, None when another process has it or there is none (any more)."""
        try:
            ended = self._store.run_for(run_id, operations.canvas.claim_canvas(run_id, HOLD))
        except RunNotFoundError:
            return None
        return ended and replace(ended, output=self._large_values.load(ended.output))

    def take_left_canvas(self, shard: int) -> list[str]:
        """Take, for ``HOLD``, the runs whose canvas no process has performed."""
        return self._store.run(operations.canvas.take_canvas(HOLD), shard=shard)

    def drop_canvas(self, run_id: str) -> None:
        """Record that a run's canvas was performed."""
        with contextlib.suppress(RunNotFoundError):
            self._store.run_for(run_id, operations.canvas.drop_canvas(run_id))

    def _shard(self, value_id: str) -> int:
        return shard_of_queue(value_id, self._store.config.shards)
