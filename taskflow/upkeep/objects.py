"""The thread that deletes large values which no run names: those of forgotten runs and of stale attempts.

The path of an object names its run, so that nothing else has to be kept. A run that neither the store nor the history
has needs no objects, a finished run needs those that its record names, and a living run keeps all. An object younger
than a grace is left alone, because its run, or the run's end, may be on its way into the store.
"""

import logging
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.engine.lookup import Lookup
from taskflow.errors import HistoryUnavailableError, ObjectStoreError, RunNotFoundError, StoreUnavailableError
from taskflow.models import Run
from taskflow.objects.address import Address, run_of_folder
from taskflow.objects.large_values import LargeValues
from taskflow.store import operations
from taskflow.store.keys import OBJECTS
from taskflow.store.sync_store import Store
from taskflow.worker.repeating_thread import RepeatingThread

log = logging.getLogger("taskflow.upkeep")
EVERY: Final = timedelta(hours=1)
GRACE: Final = timedelta(days=1)
_FIRST_SECONDS: Final = 60.0


class ObjectSweep:
    """Deletes what no run needs among the objects of one environment.

    Args:
        grace: The age, by the day of its making, at which an object may be deleted.
    """

    def __init__(self, store: Store, large_values: LargeValues, lookup: Lookup, grace: timedelta = GRACE) -> None:
        self._store, self._large_values, self._lookup, self._grace = store, large_values, lookup, grace

    def sweep(self, now: datetime) -> int:
        """Delete what no run needs. Return the number of folders of runs that were looked at.

        Raises:
            ObjectStoreError, StoreUnavailableError, HistoryUnavailableError: One of them did not answer. The next sweep
                looks at the rest.
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


class ObjectThread(RepeatingThread):
    """Sweeps once an hour, in the node that takes the turn first."""

    def __init__(self, sweep: ObjectSweep, store: Store, node_id: str) -> None:
        super().__init__("taskflow-objects", first_pause=random.uniform(0.5, 1) * _FIRST_SECONDS)
        self._sweep, self._store = sweep, store
        self._node_id = node_id

    def turn(self) -> float:
        """Sweep, if no other node has done so in this hour."""
        if self._store.take_turn(OBJECTS, self._node_id, EVERY):
            self._sweep.sweep(datetime.now(UTC))
        return _pause()

    def handle_error(self, error: Exception) -> float:
        """Log it; a later sweep looks at what is left."""
        if isinstance(error, ObjectStoreError | StoreUnavailableError | HistoryUnavailableError):
            log.warning("objects.unswept: %s", error)
        else:
            log.error("objects.unswept", exc_info=error)
        return _pause()


def _pause() -> float:
    return EVERY.total_seconds() * random.uniform(0.5, 1)
