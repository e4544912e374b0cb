"""The thread that does a shard's upkeep when something is due, and otherwise sleeps until then or until woken."""

import logging
import random
import threading
from datetime import timedelta
from typing import Final

from taskflow.errors import BrokerUnavailableError, StoreUnavailableError
from taskflow.store import operations
from taskflow.upkeep.passes import Upkeep

log = logging.getLogger("taskflow.upkeep")
SWEEP: Final = timedelta(seconds=30)
HOLD: Final = timedelta(seconds=2)
"""How long a tick is another node's before it is taken for dead. Its scripts are atomic: overlap does no harm."""
LONGEST_SLEEP_MS: Final = 5000


class UpkeepThread:
    """Runs in every node. The store wakes it early when a run is delayed to an earlier instant than it sleeps for."""

    def __init__(self, upkeep: Upkeep, node_id: str) -> None:
        self._upkeep = upkeep
        self._node_id = node_id
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"taskflow-upkeep-{upkeep.shard}", daemon=True)
        self._woken = "0"

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end; it is a daemon and holds nothing but a tick that expires."""
        self._is_stopping.set()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                self._sleep(self._tick())
            except (StoreUnavailableError, BrokerUnavailableError) as error:
                log.warning("upkeep.waiting: %s", error)
                self._is_stopping.wait(0.5)
            except Exception:
                log.exception("upkeep.failed")
                self._is_stopping.wait(1)

    def _tick(self) -> int:
        """Do what is due if this node has the tick. Returns how many milliseconds to sleep."""
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
        if milliseconds <= 0 or self._is_stopping.is_set():
            return
        wait = min(milliseconds + random.randint(1, 15), LONGEST_SLEEP_MS)
        entries = self._upkeep.store.read_stream("wake", self._woken, shard=self._upkeep.shard, block_ms=wait)
        if entries:
            self._woken = entries[-1][0].decode()
