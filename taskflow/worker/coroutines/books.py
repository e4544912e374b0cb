"""Celery's books of what a worker executes, as ``inspect active``, ``revoke`` and Flower read them, of coroutines.

Celery writes each request into its books and out again. Here they are brought up to date before they are read, because
a node executes thousands of coroutines for one look into the books.
"""

from functools import partial
from typing import Any, cast

from celery.worker import state
from celery.worker.consumer.control import Control

from taskflow.worker.coroutines.request import CoroutineRequest
from taskflow.worker.coroutines.taken_ticket import TakenTicket


class Books:
    """The tickets that a node has taken and not left. On the hub's thread, except ``leave``."""

    def __init__(self) -> None:
        self._taken: set[TakenTicket] = set()
        self._entered: dict[TakenTicket, CoroutineRequest] = {}

    def take(self, ticket: TakenTicket) -> None:
        """Note a ticket that was taken."""
        self._taken.add(ticket)
        state.total_count[ticket.definition.id] += 1
        state.all_total_count[0] += 1

    def leave(self, ticket: TakenTicket) -> None:
        """Note that the node has done with a ticket. From any thread."""
        self._taken.discard(ticket)

    def update(self) -> None:
        """Write into Celery's books what the node executes now, and nothing else of coroutines."""
        taken = self._taken.copy()
        for ticket in [ticket for ticket in self._entered if ticket not in taken]:
            request = self._entered.pop(ticket)
            state.active_requests.discard(request)
            if state.requests.get(ticket.run_id) is request:  # the run may have come again since
                del state.requests[ticket.run_id]
        for ticket in taken.difference(self._entered):
            self._entered[ticket] = state.requests[ticket.run_id] = ticket.request
            state.active_requests.add(ticket.request)

    def update_before_commands(self, consumer: Any) -> None:
        """Bring the books up to date before each command of ``celery inspect`` and ``celery control``."""
        for step in consumer.steps:
            if isinstance(step, Control):
                node = cast("Any", step).box.node  # not in the stubs
                handle = partial(cast("Any", type(node)).handle_message, node)  # also after a reconnect

                def handle_message(body: Any, message: Any = None, handle: Any = handle) -> Any:
                    self.update()
                    return handle(body, message)

                node.handle_message = handle_message
