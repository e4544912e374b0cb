"""When a RabbitMQ ticket is acknowledged: once its run's code is over or waits, or before the broker's patience is.

What is unacknowledged bounds what RabbitMQ sends, so no ticket waits in a busy node. But it closes the channel of a
message that stays unacknowledged for ``consumer_timeout`` (30 min), and runs may take days. So an old ticket is
acknowledged early, and from then on its run narrows the window by hand.
"""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final, cast

from celery import bootsteps

from taskflow.worker.children.waiting_pool import WaitingPool
from taskflow.worker.tickets.consumers import TicketConsumers

log = logging.getLogger("taskflow.node")
_RUN: Final[int] = cast("Any", bootsteps).RUN  # not in the stubs


@dataclass(slots=True, eq=False)
class _Held:
    message: Any
    since: float
    is_counted: bool = True
    """Whether the broker counts it: it is not acknowledged, and came over the present connection."""

    @property
    def queue(self) -> str:
        """The Celery queue it came from."""
        return queue_of(self.message)


class HeldTickets:
    """The tickets of one consumer whose runs are not over. On the hub's thread, but for what ``hold`` returns.

    Args:
        consumer: Celery's consumer, which outlives its connections.
        longest: After how long a ticket is acknowledged although its run is not over.
    """

    def __init__(self, consumer: Any, longest: timedelta) -> None:
        self._consumer = consumer
        self._longest = longest.total_seconds()
        self._held: set[_Held] = set()
        self._window = 0
        self._consumers = TicketConsumers(consumer)
        self._waiting: WaitingPool | None = None
        self._refused: list[Any] = []
        self._timer: Any = None

    def hold(self, message: Any) -> Callable[[], object]:
        """Keep a ticket unacknowledged. Returns what to call, from any thread, when its run's code is over."""
        held = _Held(message, time.monotonic())
        self._held.add(held)
        self._consumers.delivered(held.queue)
        if self._waiting is not None:  # once it is in Celery's books
            self._consumer.hub.call_soon(self._fit)
        return partial(self._consumer.hub.call_soon, partial(self._end, held))

    def refuse(self, message: Any) -> bool:
        """Give a ticket back to the broker if it may not start now, and take none of its queue until one may."""
        if self._waiting is None or self._waiting.free_slots(queue_of(message)) > 0:
            return False
        self._refused.append(message)
        self._consumer.hub.call_soon(self._return_refused)
        return True

    def connect(self, waiting: WaitingPool | None) -> None:
        """A connection was made: the broker will send again what came over the one before.

        Args:
            waiting: Says of a prefork pool how many tickets of which queue may start.
        """
        self._waiting = waiting
        if waiting is not None:
            waiting.on_parked, waiting.on_change = self._acknowledge_parked, self._fit
        for held in self._held:
            held.is_counted = False
        self._refused.clear()
        if waiting is not None:
            self._consumers.connect()
        else:
            self._window = max(1, self._room())
            with suppress(*self._consumer.connection_errors):
                self._consumer.task_consumer.qos(prefetch_count=self._window)
        # Celery starts to consume with its loop. What came before that would find no handler, and end the node.
        self._consumer.hub.call_soon(self._fit)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._consumer.hub.call_repeatedly(max(0.2, self._longest / 10), self._acknowledge_old)

    def _room(self) -> int:
        return max(0, int(self._consumer.pool.num_processes) - sum(not held.is_counted for held in self._held))

    def _end(self, held: _Held) -> None:
        if held not in self._held:  # told before: when its run began to wait, or by Celery and by us
            return
        self._held.discard(held)
        if self._waiting is not None or not held.is_counted:
            self._fit()
        if held.is_counted:  # after that: the broker sends the next one at once to a consumer that is left
            self._acknowledge(held.message)

    def _acknowledge_old(self) -> None:
        before = time.monotonic() - self._longest
        old = [held for held in self._held if held.is_counted and held.since < before]
        self._acknowledge_early(old)
        for held in old:
            log.info("ticket.acknowledged_early: %s", held.message.headers["id"])

    def _acknowledge_parked(self, run_id: str) -> None:
        """A run only waits: another one may have its place."""
        self._acknowledge_early([held for held in self._held if held.message.headers["id"] == run_id])

    def _acknowledge_early(self, tickets: list[_Held]) -> None:
        counted = [held for held in tickets if held.is_counted]
        for held in counted:
            held.is_counted = False
        self._fit()
        for held in counted:
            self._acknowledge(held.message)

    def _acknowledge(self, message: Any) -> None:
        with suppress(*self._consumer.connection_errors):  # gone: the ticket comes again and is dropped
            message.ack()

    def _return_refused(self) -> None:
        refused, self._refused = self._refused, []
        for queue in {queue_of(message) for message in refused}:
            self._consumers.close(queue, self._busy())  # first, or the broker sends them here again
        for message in refused:
            with suppress(*self._consumer.connection_errors):
                message.requeue()
        self._fit()

    def _fit(self) -> None:
        """Let the broker send as many tickets as may start."""
        if self._waiting is None:
            self._narrow()
            return
        for queue in self._consumers.queues():
            self._consumers.fit(queue, self._busy(), self._waiting.free_slots(queue))

    def _busy(self) -> set[str]:
        """Return the tags of consumers that have a message."""
        return {held.message.delivery_info.get("consumer_tag") for held in self._held if held.is_counted}

    def _narrow(self) -> None:
        """A quorum queue's window is a consumer's for its life: consume anew."""
        consumer = self._consumer.task_consumer
        if consumer is None or self._consumer.blueprint.state != _RUN:  # it is being closed, and so may be the pool
            return
        window = self._room()
        if window == self._window:
            return
        self._window = window
        with suppress(*self._consumer.connection_errors):
            consumer.cancel()
            if window:
                consumer.qos(prefetch_count=window)
                consumer.consume()
        log.info("window.changed: the broker may send %d tickets", window)


def queue_of(message: Any) -> str:
    """Return the Celery queue that a message came from."""
    return str(message.delivery_info.get("routing_key") or "")
