"""RabbitMQ tickets, each held until its run's code has ended or waits, or until it has been held for long.

RabbitMQ sends no more than the window allows, so that no ticket waits in a busy node. But it closes the channel of a
message that stays unacknowledged for ``consumer_timeout`` (30 min), and runs may take days. So an old ticket is
acknowledged early. From then on its run narrows the window by hand.
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
class _HeldTicket:
    message: Any
    since: float
    is_counted: bool = True
    """Whether the broker counts the ticket: it is unacknowledged and came over the present connection."""

    @property
    def queue(self) -> str:
        """The Celery queue that the ticket came from."""
        return queue_of(self.message)


class HeldTickets:
    """The tickets of one consumer whose runs have not ended. On the hub's thread, except what ``hold`` returns.

    Args:
        consumer: Celery's consumer, which outlives its connections.
        longest: The time after which a ticket is acknowledged although its run has not ended.
    """

    def __init__(self, consumer: Any, longest: timedelta) -> None:
        self._consumer = consumer
        self._longest = longest.total_seconds()
        self._held: set[_HeldTicket] = set()
        self._window = 0
        self._consumers = TicketConsumers(consumer)
        self._waiting: WaitingPool | None = None
        self._refused: list[Any] = []
        self._timer: Any = None

    def hold(self, message: Any) -> Callable[[], object]:
        """Keep a ticket unacknowledged. Return what to call, from any thread, when its run's code has ended."""
        ticket = _HeldTicket(message, time.monotonic())
        self._held.add(ticket)
        self._consumers.note_delivery(ticket.queue)
        if self._waiting is not None:  # soon: then the ticket is in Celery's books
            self._consumer.hub.call_soon(self._fit)
        return partial(self._consumer.hub.call_soon, partial(self._end, ticket))

    def refuse(self, message: Any) -> bool:
        """Give a ticket back to the broker if it may not start now, and take none of its queue until one may."""
        if self._waiting is None or self._waiting.free_slots(queue_of(message)) > 0:
            return False
        self._refused.append(message)
        self._consumer.hub.call_soon(self._return_refused)
        return True

    def connect(self, waiting: WaitingPool | None) -> None:
        """Begin a connection: the broker sends again what came over the one before.

        Args:
            waiting: How many tickets of each queue may start, in a prefork pool. None in an asyncio pool.
        """
        self._waiting = waiting
        if waiting is not None:
            waiting.on_parked, waiting.on_change = self._acknowledge_parked, self._fit
        for ticket in self._held:
            ticket.is_counted = False
        self._refused.clear()
        if waiting is not None:
            self._consumers.connect()
        else:
            self._window = max(1, self._room())
            with suppress(*self._consumer.connection_errors):
                self._consumer.task_consumer.qos(prefetch_count=self._window)
        # Celery starts to consume with its loop. A message before that would find no handler and end the node.
        self._consumer.hub.call_soon(self._fit)
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._consumer.hub.call_repeatedly(max(0.2, self._longest / 10), self._acknowledge_old)

    def _room(self) -> int:
        return max(0, int(self._consumer.pool.num_processes) - sum(not ticket.is_counted for ticket in self._held))

    def _end(self, ticket: _HeldTicket) -> None:
        if ticket not in self._held:  # called twice: when the run began to wait and at its end, or by Celery and by us
            return
        self._held.discard(ticket)
        if self._waiting is not None or not ticket.is_counted:
            self._fit()
        if ticket.is_counted:  # last, because the broker sends the next one at once to a consumer that is left
            self._acknowledge(ticket.message)

    def _acknowledge_old(self) -> None:
        before = time.monotonic() - self._longest
        old = [ticket for ticket in self._held if ticket.is_counted and ticket.since < before]
        self._acknowledge_early(old)
        for ticket in old:
            log.info("ticket.acknowledged_early: %s", ticket.message.headers["id"])

    def _acknowledge_parked(self, run_id: str) -> None:
        """Acknowledge the ticket of a run that only waits, so that another run may start."""
        self._acknowledge_early([ticket for ticket in self._held if ticket.message.headers["id"] == run_id])

    def _acknowledge_early(self, tickets: list[_HeldTicket]) -> None:
        counted = [ticket for ticket in tickets if ticket.is_counted]
        for ticket in counted:
            ticket.is_counted = False
        self._fit()
        for ticket in counted:
            self._acknowledge(ticket.message)

    def _acknowledge(self, message: Any) -> None:
        with suppress(
            *self._consumer.connection_errors
        ):  # the connection is gone: the ticket comes again and is dropped
            if not message.acknowledged:
                message.ack()

    def _return_refused(self) -> None:
        refused, self._refused = self._refused, []
        for queue in {queue_of(message) for message in refused}:
            self._consumers.close(queue, self._busy())  # first, so that the broker does not send them here again
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
        return {ticket.message.delivery_info.get("consumer_tag") for ticket in self._held if ticket.is_counted}

    def _narrow(self) -> None:
        """Consume anew with the present window, because a quorum queue's window is a consumer's for its life."""
        consumer = self._consumer.task_consumer
        if (
            consumer is None or self._consumer.blueprint.state != _RUN
        ):  # the consumer is being closed, and the pool may be as well
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
