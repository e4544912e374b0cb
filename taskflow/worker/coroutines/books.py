"""Celery's books of what a worker executes, as ``inspect active``, ``revoke`` and Flower read them, of coroutines.

Celery writes each request into its books and out again. Here they are brought up to date before they are read, and
emptied after it, because a node executes thousands of coroutines for one look into the books. The number that
heartbeats carry is counted without them.
"""

from functools import partial
from typing import Any, cast

from celery import signals
from celery.worker import heartbeat, state
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
        self.clear()
        for ticket in self._taken.copy():
            self._entered[ticket] = state.requests[ticket.run_id] = ticket.request
            state.active_requests.add(ticket.request)

    def clear(self) -> None:
        """Take all coroutines out of Celery's books."""
        entered, self._entered = self._entered, {}  # at once, because the handler of a signal may update them meanwhile
        for ticket, request in entered.items():
            state.active_requests.discard(request)
            if state.requests.get(ticket.run_id) is request:  # the run may have come again since
                del state.requests[ticket.run_id]

    def count_executing(self) -> int:
        """Return how many tasks the node executes: coroutines, and those of Celery in threads."""
        return len(state.active_requests) - len(self._entered) + len(self._taken)

    def connect(self) -> None:
        """Have Celery's heartbeats count coroutines, and its soft shutdown find them."""
        cast("Any", heartbeat).active_requests = _Executing(self)
        signals.worker_shutting_down.connect(self._update_at_shutdown, weak=False)

    def _update_at_shutdown(self, **_: Any) -> None:
        self.update()

    def update_before_commands(self, consumer: Any) -> None:
        """Bring the books up to date for each command of ``celery inspect`` and ``celery control``."""
        for step in consumer.steps:
            if isinstance(step, Control):
                node = cast("Any", step).box.node  # not in the stubs
                handle = partial(cast("Any", type(node)).handle_message, node)  # also after a reconnect

                def handle_message(body: Any, message: Any = None, handle: Any = handle) -> Any:
                    self.update()
                    try:
                        return handle(body, message)
                    finally:
                        self.clear()

                node.handle_message = handle_message


class _Executing:
    """The collection whose length a heartbeat sends, in the place of Celery's set of active requests."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def __len__(self) -> int:
        return self._books.count_executing()
