"""Notifies the store when a node is so full of waiting runs that it takes only what those wait for, and when it is not.

Until then reservations for the node keep their slots, and one of the waiting runs might need such a slot to go on.
"""

import logging
from collections.abc import Callable, Sequence
from typing import Final

from taskflow.broker.queues import is_subtask_queue, parse_queue
from taskflow.store import operations
from taskflow.worker.attempt.insist import insist
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.repeating_thread import RepeatingThread

log = logging.getLogger("taskflow.node")
PATIENCE_SECONDS: Final = 1.0
"""Time for which a node must be full before its reservations are moved, because a moment is not worth it."""
_EVERY: Final = 0.5


class Serving(RepeatingThread):
    """Compares twice a second the queues that the node takes from with those that the store has for it.

    Args:
        is_closed: Whether only runs that others wait for may start.
    """

    def __init__(self, runtime: Runtime, queues: Sequence[str], capacity: int, is_closed: Callable[[], bool]) -> None:
        super().__init__("taskflow-serving", first_pause=_EVERY)
        self._runtime = runtime
        self._queues = [name for name in queues if not is_subtask_queue(name)]
        self._classes = sorted({f"{name.machine}.{name.executor}" for name in map(parse_queue, queues)})
        self._capacity = capacity
        self._is_closed = is_closed
        self._closed_as: str | None = None
        """The node's id under which the store has its queues as closed."""
        self._looks = 0

    def turn(self) -> float:
        """Close or open the node's ordinary queues in the store, if that is due."""
        node_id = self._runtime.node.id
        self._looks = self._looks + 1 if self._is_closed() else 0
        if self._looks * _EVERY > PATIENCE_SECONDS and self._closed_as != node_id:
            self._serve(node_id, 0)
            self._closed_as = node_id
        elif not self._looks and self._closed_as == node_id:
            self._serve(node_id, self._capacity)
            self._closed_as = None
        return _EVERY

    def handle_error(self, error: Exception) -> float:
        """Log it; the next look tries again."""
        log.error("serving.failed", exc_info=error)
        return _EVERY

    def _serve(self, node_id: str, capacity: int) -> None:
        log.info("node.%s: %s", "reopened" if capacity else "closed", ", ".join(self._queues))
        for shard in range(self._runtime.settings.shards):
            insist(
                self._runtime,
                operations.nodes.serve_queues(node_id, self._queues, capacity=capacity, classes=self._classes),
                shard=shard,
            )
