"""How many messages RabbitMQ may send of each Celery queue: a consumer's window is fixed for its life (quorum queues).

So a window is changed by consuming anew. The windows of a node's queues add up to more than it may start, for it is the
broker that knows which queue has messages: what comes too much is given back (``HeldTickets.refuse``). Runs that others
wait for come next then: a place is kept for them until one has come, or none came for a moment.
"""

import logging
import time
from contextlib import suppress
from typing import Any, Final

from taskflow.broker.queues import is_subtask_queue

log = logging.getLogger("taskflow.node")
_KEPT_SECONDS: Final = 0.2


class Windows:
    """The windows of one consumer's queues. On the hub's thread."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._sizes: dict[str, int] = {}
        self._kept_until = 0.0

    def queues(self) -> list[str]:
        """Return the Celery queues that the consumer consumes, or will again."""
        return list(self._sizes)

    def reset(self, size: int) -> None:
        """A connection was made; Celery is about to consume every queue with a window of this size."""
        consumer = self._consumer.task_consumer
        self._sizes = {queue.name: size for queue in consumer.queues}
        self._kept_until = 0.0

    def close(self, queue: str) -> None:
        """Have no more messages of a queue. One for which others wait comes next once there is a place."""
        self._resize(queue, 0)
        if is_subtask_queue(queue):
            self._kept_until = float("inf")

    def delivered(self, queue: str) -> None:
        """A message came, and is kept."""
        if self._kept_until and is_subtask_queue(queue):
            self._kept_until = 0.0

    def fit(self, queue: str, counted: int, free: int) -> None:
        """Let the broker have ``counted`` messages unacknowledged and send as many more as may start."""
        size = self._sizes.get(queue, 0)
        if is_subtask_queue(queue):
            if not size and free > 0:  # else it stays: what comes too much is given back
                self._resize(queue, counted + free)
                self._keep_a_while()
            return
        wanted = counted + max(0, free - (time.monotonic() < self._kept_until))
        if wanted != size:
            self._resize(queue, wanted)

    def fit_all(self, size: int) -> None:
        """Give every queue this window."""
        for queue in self.queues():
            if self._sizes[queue] != size:
                self._resize(queue, size)

    def _keep_a_while(self) -> None:
        if self._kept_until:
            self._kept_until = time.monotonic() + _KEPT_SECONDS

    def _resize(self, queue: str, size: int) -> None:
        consumer = self._consumer.task_consumer
        if consumer is None or queue not in self._sizes:
            return
        self._sizes[queue] = size
        with suppress(*self._consumer.connection_errors):
            tag = consumer._active_tags.pop(queue, None)
            consumer._active_queue_no_ack.pop(queue, None)
            if tag is not None:
                consumer.channel.basic_cancel(tag)
            if size:
                consumer.qos(prefetch_count=size)
                consumer._consume_queues({queue: consumer.no_ack})
        log.log(
            logging.DEBUG if is_subtask_queue(queue) else logging.INFO,
            "window.changed: the broker may send %d tickets of %s",
            size,
            queue,
        )
