"""The thread that does a shard's upkeep when something is due. Until then it sleeps, or until the store wakes it."""

import logging
import random
from datetime import timedelta
from typing import Final

from taskflow.errors import BrokerUnavailableError, StoreUnavailableError
from taskflow.store import operations
from taskflow.store.keys import WAKE
from taskflow.upkeep.passes import Upkeep
from taskflow.worker.repeating_thread import RepeatingThread

log = logging.getLogger("taskflow.upkeep")
SWEEP: Final = timedelta(seconds=30)
HOLD: Final = timedelta(seconds=2)
"""Time for which a node has the tick. Overlap with the next node does no harm, because the scripts are atomic."""
LONGEST_SLEEP_MS: Final = 5000


class UpkeepThread(RepeatingThread):
    """Runs in every node. The store wakes it early when a run is delayed to an earlier instant than it sleeps to."""

    def __init__(self, upkeep: Upkeep, node_id: str) -> None:
        super().__init__(f"taskflow-upkeep-{upkeep.shard}")
        self._upkeep = upkeep
        self._node_id = node_id
        self._woken = "0"

    def turn(self) -> float:
        """Do what is due, then sleep in the store until something is."""
        self._sleep(self._tick())
        return 0.0

    def handle_error(self, error: Exception) -> float:
        """Log it and go on; the tick expires if this node has it."""
        if isinstance(error, StoreUnavailableError | BrokerUnavailableError):
            log.warning("upkeep.waiting: %s", error)
            return 0.5
        log.error("upkeep.failed", exc_info=error)
        return 1.0

    def _tick(self) -> int:
        """Do what is due if this node has the tick. Return how many milliseconds to sleep."""
        store, shard, heartbeat = self._upkeep.store, self._upkeep.shard, self._upkeep.heartbeat
        ask = operations.nodes.take_tick(self._node_id, heartbeat=heartbeat, sweep=SWEEP, hold=HOLD)
        tick = store.run(ask, shard=shard)
        if not tick.due:
            return tick.wait_ms
        try:
            self._upkeep.perform(tick.due)
        finally:
            store.run(operations.nodes.release_tick(self._node_id), shard=shard)
        return 0

    def _sleep(self, milliseconds: int) -> None:
        if milliseconds <= 0 or self.is_stopping:
            return
        wait = min(milliseconds + random.randint(1, 15), LONGEST_SLEEP_MS)
        entries = self._upkeep.store.read_stream(WAKE, self._woken, shard=self._upkeep.shard, block_ms=wait)
        if entries:
            self._woken = entries[-1][0].decode()
