"""Tickets of tasks that this node does not declare, as while a new version rolls out: they are left for other nodes."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from taskflow.broker.messages import ticket_from_headers

log = logging.getLogger("taskflow.node")
RETURN_AFTER_SECONDS: Final = 0.5
"""Time for which such a ticket is held. Without it, nodes that don't declare the task would pass it back and forth."""
_SAY_AGAIN_SECONDS: Final = 60.0
_MOST_KNOWN: Final = 1000


class ForeignTickets:
    """The log of such tickets. While no node declares a task, a run's comes twice a second; one a minute is logged."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}

    def log(self, run_id: str, task: str) -> None:
        """Log a ticket, unless the run's was logged lately."""
        now = self._clock()
        if now - self._said.get(run_id, -_SAY_AGAIN_SECONDS) < _SAY_AGAIN_SECONDS:
            return
        if len(self._said) >= _MOST_KNOWN:
            self._said.clear()
        self._said[run_id] = now
        log.warning("ticket.foreign: %s of task %r, which is not declared here, is given back", run_id, task)


def give_back_foreign_tickets(consumer: Any) -> None:
    """Have a consumer give back the tickets that Celery would refuse and report as failed. Another node runs them.

    Within seconds each node of the queue has had such a ticket. Other unknown messages stay with Celery.
    """
    if hasattr(consumer, "refuse_unknown_task"):
        return
    consumer.refuse_unknown_task = consumer.on_unknown_task
    seen = ForeignTickets()

    def on_unknown_task(body: Any, message: Any, error: Any) -> None:
        ticket = ticket_from_headers(message.headers)
        if ticket is None:
            consumer.refuse_unknown_task(body, message, error)
            return
        seen.log(ticket.run_id, str(message.headers.get("task")))
        consumer.hub.call_later(RETURN_AFTER_SECONDS, give_back, message)

    def give_back(message: Any) -> None:
        with suppress(*consumer.connection_errors):  # the connection is gone: the ticket comes again by itself
            if not message.acknowledged:
                message.requeue()

    consumer.on_unknown_task = on_unknown_task
