"""The thread that keeps a node's lease and reads its inbox. Nothing else runs on this thread."""

import logging
import time
from collections.abc import Callable
from typing import Final

from taskflow.errors import NodeUnregisteredError, StoreUnavailableError
from taskflow.store import operations
from taskflow.store.keys import inbox_of_node
from taskflow.store.operations.nodes import InboxEntry, inbox_entry
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.repeating_thread import RepeatingThread

log = logging.getLogger("taskflow.node")
_PAUSE_SECONDS: Final = 0.2
_FAILURE_PAUSE_SECONDS: Final = 1.0


class Pulse(RepeatingThread):
    """Renews the lease every heartbeat. Between two heartbeats it waits for inbox messages, which act at once.

    Args:
        on_message: Acts on one message. A message may come twice and must act once.
        on_lost: Called with the id whose lease has ended. It stops everything, registers under a new id and returns.
        load: Returns what the host uses, as JSON.
    """

    def __init__(
        self,
        runtime: Runtime,
        shard: int,
        on_message: Callable[[InboxEntry], None],
        on_lost: Callable[[str], None],
        load: Callable[[], str] = lambda: "",
    ) -> None:
        super().__init__(f"taskflow-pulse-{shard}")
        self._runtime = runtime
        self._shard = shard
        self._on_message = on_message
        self._on_lost = on_lost
        self._load = load
        self._node_id = ""
        self._handled: list[str] = []
        self._seen = "0"

    def turn(self) -> float:
        """Beat and listen. An ended lease is handled here, so that ``on_lost`` may fail and be called again."""
        node_id = self._runtime.node.leased_id
        if node_id != self._node_id:  # the inbox is another one
            self._node_id, self._handled, self._seen = node_id, [], "0"
        try:
            self._beat(node_id)
            self._listen(node_id, time.monotonic() + self._runtime.settings.heartbeat.total_seconds())
        except NodeUnregisteredError as lost:
            if not self.is_stopping:
                log.warning("node.lost: %s", lost)
                self._on_lost(node_id)
        return 0.0

    def handle_error(self, error: Exception) -> float:
        """Log it and beat again soon: the lease runs meanwhile."""
        if isinstance(error, StoreUnavailableError):
            log.warning("store.unavailable: %s", error)
            return _PAUSE_SECONDS
        log.error("pulse.failed", exc_info=error)
        return _FAILURE_PAUSE_SECONDS

    def _beat(self, node_id: str) -> None:
        handled = self._handled
        lease = self._runtime.settings.lease
        beat = operations.nodes.heartbeat_node(node_id, lease=lease, handled=handled, load=self._load())
        repeated = self._runtime.store.run(beat, shard=self._shard)
        self._handled = self._handled[len(handled) :]
        for message in repeated:
            self._handle(message)

    def _listen(self, node_id: str, until: float) -> None:
        while (left := until - time.monotonic()) > 0 and not self.is_stopping:
            name = inbox_of_node(node_id)
            block_ms = max(1, int(left * 1000))
            entries = self._runtime.store.read_stream(name, self._seen, shard=self._shard, block_ms=block_ms)
            for entry_id, fields in entries:
                self._handle(inbox_entry(entry_id, fields))

    def _handle(self, message: InboxEntry) -> None:
        self._seen = message.id
        self._on_message(message)
        self._handled.append(message.id)
