"""Records of triggers whose process ended between the commit of its transaction and the making of the run."""

import logging
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from taskflow.errors import StoreUnavailableError
from taskflow.seams.transactions import TRANSACTIONS
from taskflow.store.keys import OUTBOX
from taskflow.store.sync_store import Store
from taskflow.worker.repeating_thread import RepeatingThread

log = logging.getLogger("taskflow.upkeep")
EVERY: Final = timedelta(seconds=5)


class OutboxThread(RepeatingThread):
    """Looks every five seconds for such records, in the node that takes the turn first.

    In a thread of its own, because the program's database may take its time.

    Args:
        make: Makes the runs of a document.
    """

    def __init__(self, make: Callable[[bytes], None], store: Store, node_id: str) -> None:
        super().__init__("taskflow-outbox", first_pause=_pause())
        self._make, self._store, self._node_id = make, store, node_id

    def turn(self) -> float:
        """Look, if no other node has done so."""
        if TRANSACTIONS.sweep is not None and self._store.take_turn(OUTBOX, self._node_id, EVERY):
            made = TRANSACTIONS.sweep(self._make)
            if made:
                log.warning("outbox.made: %d triggers of processes that had ended before they could make them", made)
        return _pause()

    def handle_error(self, error: Exception) -> float:
        """Log it; the records stay."""
        if isinstance(error, StoreUnavailableError):
            log.warning("outbox.unswept: %s", error)
        else:
            log.error("outbox.unswept", exc_info=error)
        return _pause()


def _pause() -> float:
    return EVERY.total_seconds() * random.uniform(0.5, 1)
