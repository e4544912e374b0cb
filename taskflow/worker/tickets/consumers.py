"""The consumers of a prefork node on RabbitMQ: one for each free slot, and each may have one message.

A quorum queue's window belongs to a consumer for its life, and the messages that a canceled consumer still has count
for no other consumer (measured, RabbitMQ 3.10). So slots come and go as consumers of one message each.

The node can't see which queue has messages. So the consumers of queues for runs that others wait for stay when the node
is full, and there may be more consumers than slots. A message too many is given back. A slot is then kept for its
queue until a message has come or none came for a moment, because what others wait for comes next.
"""

import logging
import time
from contextlib import suppress
from itertools import count
from typing import Any, Final, cast

from celery import bootsteps

from taskflow.broker.queues import is_subtask_queue

log = logging.getLogger("taskflow.node")
_RUN: Final = cast("Any", bootsteps).RUN  # not in the stubs
_KEPT_SECONDS: Final = 0.2


class TicketConsumers:
    """The AMQP consumers of one node. On the hub's thread.

    They are entered among Celery's own, so that Celery cancels them all when the node stops.
    """

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer
        self._numbers = count(1)
        self._kept_until: dict[str, float] = {}

    def connect(self) -> None:
        """Begin a connection. Celery is about to make a consumer for each queue; each may have one message."""
        self._kept_until.clear()
        self._consumer.task_consumer.qos(prefetch_count=1)

    def queues(self) -> list[str]:
        """Return the Celery queues to consume, those for runs that others wait for first; [] while not connected."""
        consumer = self._consumer.task_consumer
        if consumer is None or self._consumer.blueprint.state != _RUN:
            return []
        return sorted(consumer._queues, key=is_subtask_queue, reverse=True)

    def note_delivery(self, queue: str) -> None:
        """Keep no slot for a queue any more: a message of it came, and may start."""
        self._kept_until.pop(queue, None)

    def close(self, queue: str, busy: set[str]) -> None:
        """Take no more messages of a queue until there is a slot."""
        self._cancel(queue, self._idle(queue, busy))
        if is_subtask_queue(queue):
            self._kept_until[queue] = float("inf")

    def fit(self, queue: str, busy: set[str], free: int) -> None:
        """Keep one consumer for each free slot.

        Args:
            busy: The tags of consumers whose message is not acknowledged.
        """
        idle = self._idle(queue, busy)
        if is_subtask_queue(queue):
            if not idle and free > 0:
                self._consume(queue, free)
                self._keep_a_while(queue)
            return
        free -= sum(time.monotonic() < until for until in self._kept_until.values())
        if len(idle) > free:
            self._cancel(queue, idle[max(0, free) :])
            log.debug("window.changed: the broker may send %d tickets of %s", max(0, free), queue)
        elif len(idle) < free:
            self._consume(queue, free - len(idle))

    def _keep_a_while(self, queue: str) -> None:
        if queue in self._kept_until:
            self._kept_until[queue] = time.monotonic() + _KEPT_SECONDS

    def _idle(self, queue: str, busy: set[str]) -> list[str]:
        tags = self._consumer.task_consumer._active_tags
        return [name for name, tag in tags.items() if name.partition("#")[0] == queue and tag not in busy]

    def _cancel(self, queue: str, names: list[str]) -> None:
        consumer = self._consumer.task_consumer
        with suppress(*self._consumer.connection_errors):
            for name in names:
                consumer.channel.basic_cancel(consumer._active_tags.pop(name))
        if queue not in consumer._active_tags:
            consumer._active_queue_no_ack.pop(queue, None)

    def _consume(self, queue: str, number: int) -> None:
        consumer = self._consumer.task_consumer
        with suppress(*self._consumer.connection_errors):
            consumer.qos(prefetch_count=1)
            for _ in range(number):
                tag = f"taskflow-{next(self._numbers)}"
                consumer._active_tags[f"{queue}#{tag}"] = tag
                consumer._queues[queue].consume(tag, consumer._receive_callback, no_ack=False, nowait=False)
