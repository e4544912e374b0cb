"""The thread that keeps a node's lease and reads its inbox. Nothing else runs on it."""

import logging
import threading
import time
from collections.abc import Callable

from taskflow.errors import NodeUnregisteredError, StoreUnavailableError
from taskflow.store import operations
from taskflow.store.operations.nodes import InboxEntry, inbox_entry
from taskflow.worker.attempt.runtime import Runtime

log = logging.getLogger("taskflow.node")


class Pulse:
    """Renews the lease every heartbeat and between two heartbeats waits for inbox messages, which act at once.

    Args:
        on_message: Acts on one message. What it was told twice it must do once.
        on_lost: The lease is over: stop everything, then register under a new id and return.
    """

    def __init__(
        self, runtime: Runtime, shard: int, on_message: Callable[[InboxEntry], None], on_lost: Callable[[], None]
    ) -> None:
        self._runtime = runtime
        self._shard = shard
        self._on_message = on_message
        self._on_lost = on_lost
        self._handled: list[str] = []
        self._seen = "0"
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"taskflow-pulse-{shard}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end."""
        self._is_stopping.set()

    def _run(self) -> None:
        while not self._is_stopping.is_set():
            try:
                self._turn()
            except StoreUnavailableError as error:
                log.warning("store.unavailable: %s", error)
                self._is_stopping.wait(0.2)
            except Exception:
                log.exception("pulse.failed")
                self._is_stopping.wait(1)

    def _turn(self) -> None:
        """Beat and listen. A lease that is over is dealt with here, so that the store's absence then ends nothing."""
        try:
            self._beat()
            self._listen(time.monotonic() + self._runtime.settings.heartbeat.total_seconds())
        except NodeUnregisteredError as lost:
            if not self._is_stopping.is_set():
                log.warning("node.lost: %s", lost)
                self._handled, self._seen = [], "0"
                self._on_lost()

    def _beat(self) -> None:
        handled = self._handled
        beat = operations.nodes.heartbeat_node(
            self._runtime.node.id, lease=self._runtime.settings.lease, handled=handled
        )
        repeated = self._runtime.store.run(beat, shard=self._shard)
        self._handled = self._handled[len(handled) :]
        for message in repeated:
            self._handle(message)

    def _listen(self, until: float) -> None:
        while (left := until - time.monotonic()) > 0 and not self._is_stopping.is_set():
            name = f"node:{self._runtime.node.id}:inbox"
            block_ms = max(1, int(left * 1000))
            entries = self._runtime.store.read_stream(name, self._seen, shard=self._shard, block_ms=block_ms)
            for entry_id, fields in entries:
                self._handle(inbox_entry(entry_id, fields))

    def _handle(self, message: InboxEntry) -> None:
        self._seen = message.id
        self._on_message(message)
        self._handled.append(message.id)
