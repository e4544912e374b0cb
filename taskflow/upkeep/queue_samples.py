"""The thread that keeps the load of queues in the history, each minute. It runs beside the feed of the first shard."""

import logging
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Final

from taskflow.errors import HistoryUnavailableError, StoreUnavailableError
from taskflow.store.operations.queues import read_queues
from taskflow.store.sync_store import Store
from taskflow.worker.repeating_thread import RepeatingThread

if TYPE_CHECKING:  # SQLAlchemy takes 30 MB
    from taskflow.history.database import Database
    from taskflow.history.reader import Reader

log = logging.getLogger("taskflow.history")
EVERY: Final = timedelta(minutes=1)
TRIM_EVERY: Final = timedelta(hours=1)


class SamplingThread(RepeatingThread):
    """Reads the queues of all shards once in each minute. A minute that it can't read or write is left out."""

    def __init__(self, store: Store, open_database: "Callable[[], Database]", environment: str) -> None:
        super().__init__("taskflow-queue-samples")
        self._store, self._open_database, self._environment = store, open_database, environment
        self._trimmed: datetime | None = None

    def turn(self) -> float:
        """Keep the load of the minute that has begun, and wait for the next one."""
        from taskflow.history.queue_samples import keep_samples, trim_samples

        now = datetime.now(UTC)
        shards = range(self._store.config.shards)
        states = [state for shard in shards for state in self._store.run(read_queues(), shard=shard) if state.name]
        keep_samples(self._reader, now, states)
        if self._trimmed is None or now - self._trimmed > TRIM_EVERY:
            trim_samples(self._reader, now)
            self._trimmed = now
        return _until_next_minute()

    def handle_error(self, error: Exception) -> float:
        """Log it; the next minute tries again."""
        if isinstance(error, StoreUnavailableError | HistoryUnavailableError):
            log.warning("queue_samples.left_out: %s", error)
        else:
            log.error("queue_samples.failed", exc_info=error)
        return _until_next_minute()

    def end(self) -> None:
        """Close the database."""
        if "_database" in self.__dict__:
            self._database.close()

    @cached_property
    def _database(self) -> "Database":
        return self._open_database()

    @cached_property
    def _reader(self) -> "Reader":
        from taskflow.history.reader import Reader

        return Reader(self._database, self._environment)


def _until_next_minute() -> float:
    seconds = EVERY.total_seconds()
    return seconds - time.time() % seconds + 0.05  # a little late, so that no minute is looked at twice
