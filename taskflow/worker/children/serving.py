"""Tells the store when a node is so full of waiting runs that it takes only what they wait for, and when no longer.

Until then reservations for it keep their slots, and one of the waiting runs might need such a slot to go on.
"""

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final

from taskflow.broker.queues import is_subtask_queue, parse_queue
from taskflow.store import operations
from taskflow.worker.attempt.insist import insist
from taskflow.worker.attempt.runtime import Runtime

log = logging.getLogger("taskflow.node")
PATIENCE_SECONDS: Final = 1.0
"""A node that is full for a moment is not worth moving reservations."""
_EVERY: Final = 0.5


class Serving:
    """A thread that compares, twice a second, what the node takes with what the store knows.

    Args:
        is_closed: Whether only runs that others wait for may start.
    """

    def __init__(self, runtime: Runtime, queues: Sequence[str], capacity: int, is_closed: Callable[[], bool]) -> None:
        self._runtime = runtime
        self._queues = [name for name in queues if not is_subtask_queue(name)]
        self._classes = sorted({f"{name.machine}.{name.executor}" for name in map(parse_queue, queues)})
        self._capacity = capacity
        self._is_closed = is_closed
        self._closed_as: str | None = None
        """Under which id the node has told the store so."""
        self._looks = 0

    def start(self) -> None:
        """Start the thread, which lives as long as the node."""
        threading.Thread(target=self._run, name="taskflow-serving", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while not pause.wait(_EVERY):
            try:
                self._look()
            except Exception:
                log.exception("serving.failed")

    def _look(self) -> None:
        node_id = self._runtime.node.id
        self._looks = self._looks + 1 if self._is_closed() else 0
        if self._looks * _EVERY > PATIENCE_SECONDS and self._closed_as != node_id:
            self._tell(node_id, 0)
            self._closed_as = node_id
        elif not self._looks and self._closed_as == node_id:
            self._tell(node_id, self._capacity)
            self._closed_as = None

    def _tell(self, node_id: str, capacity: int) -> None:
        log.info("node.%s: %s", "reopened" if capacity else "closed", ", ".join(self._queues))
        for shard in range(self._runtime.settings.shards):
            insist(
                self._runtime,
                operations.nodes.serve_queues(node_id, self._queues, capacity=capacity, classes=self._classes),
                shard=shard,
            )
