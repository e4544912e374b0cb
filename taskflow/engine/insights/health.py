"""The engine behind the health of the frame: how fast the store answers, and how far the history is behind."""

import time
from dataclasses import dataclass
from datetime import timedelta

from taskflow.engine.feeds.lag import feed_lag
from taskflow.engine.lookup import Lookup
from taskflow.errors import StoreUnavailableError
from taskflow.store.sync_store import Store


@dataclass(frozen=True, slots=True)
class Health:
    """Store and history at a moment.

    Attributes:
        store: The time of one round trip; None when the store did not answer.
        has_history: Whether a worker feeds a history.
        behind: The age of the oldest change that the history does not have.
    """

    store: timedelta | None
    has_history: bool = False
    behind: timedelta = timedelta()


class HealthEngine:
    """Asks the store. Blocking: coroutines call it in a thread."""

    def __init__(self, store: Store, lookup: Lookup) -> None:
        self._store, self._lookup = store, lookup

    def read(self) -> Health:
        """Return the health. The database of the history is not asked: what it does not take, waits in the store."""
        try:
            begin = time.perf_counter()
            self._store.server_info("server")
            took = timedelta(seconds=time.perf_counter() - begin)
            lag = feed_lag(self._store) if self._lookup.reader() is not None else None
        except StoreUnavailableError:
            return Health(None)
        return Health(took, lag is not None, lag.age if lag is not None else timedelta())
