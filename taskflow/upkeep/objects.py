"""The thread that deletes large values which no run names any more: those of runs that are gone, and of stale attempts.

What an object is for stands in its path, so nothing need be remembered: a run that neither the store nor the history
knows needs none; a finished one needs what its record names; a living one keeps all. An object younger than a grace is
never looked at, since its run, or the end of it, may be on its way into the store.
"""

import logging
import random
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.engine.lookup import Lookup
from taskflow.errors import HistoryUnavailableError, ObjectStoreError, RunNotFoundError, StoreUnavailableError
from taskflow.models import Run
from taskflow.objects.address import Address, run_of_folder
from taskflow.objects.large_values import LargeValues
from taskflow.store import operations
from taskflow.store.sync_store import Store

log = logging.getLogger("taskflow.upkeep")
EVERY: Final = timedelta(hours=1)
GRACE: Final = timedelta(days=1)
_FIRST_SECONDS: Final = 60.0


class ObjectSweep:
    """Looks at the objects of one environment.

    Args:
        grace: How old an object is before it may be deleted, by the day of its making.
    """

    def __init__(self, store: Store, large_values: LargeValues, lookup: Lookup, grace: timedelta = GRACE) -> None:
        """Look at nothing yet."""
        self._store, self._large_values, self._lookup, self._grace = store, large_values, lookup, grace

    def sweep(self, now: datetime) -> int:
        """Delete what no run needs. Returns how many folders of runs were looked at.

        Raises:
            ObjectStoreError, StoreUnavailableError, HistoryUnavailableError: One of them did not answer; what is left
                comes up again.
        """
        count = 0
        for day in self._old_days(now):
            folders = list(self._large_values.names(day))
            for folder in folders:
                self._look(day, folder)
                count += 1
            if not list(self._large_values.names(day)):
                self._large_values.delete(day)
        return count

    def _old_days(self, now: datetime) -> Iterator[str]:
        youngest = f"{now - self._grace:%Y%m%d}"
        for day in self._large_values.names():
            if day >= youngest:
                return
            yield day

    def _look(self, day: str, folder: str) -> None:
        run = self._find(run_of_folder(folder))
        if run is None:
            self._large_values.delete(day, folder)
            return
        if not run.is_finished:
            return
        needed = {value.name for value in (run.payload, run.output) if isinstance(value, Address)}
        for name in self._large_values.names(day, folder):
            if f"{day}/{folder}/{name}" not in needed:
                self._large_values.delete(day, folder, name)

    def _find(self, run_id: str) -> Run | None:
        try:
            return self._store.run_for(run_id, operations.runs.read_run(run_id))
        except RunNotFoundError:
            pass
        try:
            return self._lookup.retrieve(run_id)
        except RunNotFoundError:
            return None


class ObjectThread:
    """Sweeps once an hour, in one node of all: whoever takes the turn first."""

    def __init__(self, sweep: ObjectSweep, store: Store, node_id: str) -> None:
        """Start nothing yet."""
        self._sweep, self._store = sweep, store
        every_ms = round(EVERY.total_seconds() * 1000)
        self._turn = ("SET", f"{store.config.base(0)}:objects", node_id, "NX", "PX", every_ms)
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="taskflow-objects", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; what it has not looked at comes up again."""
        self._is_stopping.set()

    def _run(self) -> None:
        pause = random.uniform(0.5, 1) * _FIRST_SECONDS
        while not self._is_stopping.wait(pause):
            pause = EVERY.total_seconds() * random.uniform(0.5, 1)
            try:
                (has_turn,) = self._store.send([self._turn])
                if has_turn:
                    self._sweep.sweep(datetime.now(UTC))
            except (ObjectStoreError, StoreUnavailableError, HistoryUnavailableError) as error:
                log.warning("objects.unswept: %s", error)
            except Exception:
                log.exception("objects.unswept")
