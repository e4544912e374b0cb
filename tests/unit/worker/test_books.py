"""Celery's books of coroutines: heartbeats count what a node executes, and only readers of requests have them made."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from celery import signals
from celery.worker import heartbeat, state

from taskflow import task
from taskflow.worker.coroutines.books import Books
from taskflow.worker.coroutines.taken_ticket import TakenTicket


@task(id="books-counted")
async def counted() -> None:
    """Do nothing."""


class Eventer:
    """Keeps what Celery's heartbeat sends."""

    def __init__(self) -> None:
        self.on_enabled: set[object] = set()
        self.on_disabled: set[object] = set()
        self.sent: list[dict[str, Any]] = []

    def send(self, kind: str, **fields: Any) -> None:
        self.sent.append({"kind": kind, **fields})


class Request:
    """Stands for Celery's request, of which its sets keep weak references."""


@pytest.fixture
def books() -> Iterator[Books]:
    """Books that Celery's heartbeats count."""
    was, receivers = cast("Any", heartbeat).active_requests, signals.worker_shutting_down.receivers
    signals.worker_shutting_down.receivers = []
    books = Books()
    books.connect()
    yield books
    books.clear()
    cast("Any", heartbeat).active_requests, signals.worker_shutting_down.receivers = was, receivers


def a_ticket(run_id: str) -> TakenTicket:
    """Return a ticket whose request can be made."""
    return TakenTicket(counted.definition, run_id, 1, make_request=lambda _: Request())


def test_a_heartbeat_counts_coroutines_without_making_their_requests(books: Books) -> None:
    """A request takes a tenth of a short run, and a heartbeat carries nothing but their number."""
    eventer, tickets = Eventer(), [a_ticket("run_1"), a_ticket("run_2")]
    beat = cast("Any", heartbeat).Heart(None, eventer)
    for ticket in tickets:
        books.take(ticket)
    beat._send("worker-heartbeat")
    books.leave(tickets[0])
    beat._send("worker-heartbeat")
    assert [sent["active"] for sent in eventer.sent] == [2, 1]
    assert not any(ticket.has_request for ticket in tickets)


def test_a_heartbeat_counts_a_coroutine_once_while_a_command_reads_the_books(books: Books) -> None:
    """The requests that a command has made are not counted beside the tickets."""
    eventer, ticket = Eventer(), a_ticket("run_3")
    books.take(ticket)
    books.update()
    assert ticket.request in state.active_requests
    assert state.requests["run_3"] is ticket.request
    cast("Any", heartbeat).Heart(None, eventer)._send("worker-heartbeat")
    books.clear()
    assert ticket.request not in state.active_requests
    assert "run_3" not in state.requests
    assert [sent["active"] for sent in eventer.sent] == [1]


def test_a_shutdown_finds_coroutines_in_the_books(books: Books) -> None:
    """Celery's soft shutdown waits only if something is active."""
    ticket = a_ticket("run_4")
    books.take(ticket)
    signals.worker_shutting_down.send(sender=None)
    assert ticket.request in state.active_requests
