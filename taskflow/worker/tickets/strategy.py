"""The handler of messages of our tasks: a ticket goes to its executor, a plain Celery message becomes a run."""

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from celery.worker.state import revoked
from celery.worker.strategy import default

from taskflow.broker.messages import ReceivedTicket, ticket_from_headers
from taskflow.worker.attempt.runtime import runtime_of
from taskflow.worker.children.run_task import RunTask
from taskflow.worker.coroutines.pool import AsyncPool
from taskflow.worker.coroutines.request import CoroutineRequest
from taskflow.worker.coroutines.taken_ticket import TakenTicket
from taskflow.worker.tickets.adoption import adopt

log = logging.getLogger("taskflow.node")
Handler = Callable[..., Any]
Done = Callable[[], object] | None


def ticket_strategy(task: RunTask, app: Any, consumer: Any, **options: Any) -> Handler:
    """Return the handler of one task's messages, called on the hub's thread."""
    runtime = runtime_of(app)
    through_celery: Handler = default(task, app, consumer, **options)
    start = _coroutines(task, app, consumer) if isinstance(consumer.pool, AsyncPool) else _children(through_celery)

    def handle(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any, **_: Any) -> Any:
        ticket = ticket_from_headers(message.headers)
        if ticket is None:
            return adopt(runtime, task.definition, consumer, message)
        if not task.acks_late:
            return start(message, ticket, None, body, ack, reject, callbacks)
        if consumer.held_tickets.refuse(message):
            return None
        on_done = consumer.held_tickets.hold(message)
        try:
            return start(message, ticket, on_done, body, ack, reject, callbacks)
        except Exception:  # the message is refused, and its place in the window is free again
            on_done()
            raise

    return handle


def _children(through_celery: Handler) -> Handler:
    """Return what has a ticket's run executed in a child, through Celery's own handler."""

    def start(message: Any, _: ReceivedTicket, on_done: Done, body: Any, ack: Any, reject: Any, callbacks: Any) -> Any:
        return through_celery(message, body, _ignoring_arguments(on_done) or ack, reject, callbacks)

    return start


def _coroutines(task: RunTask, app: Any, consumer: Any) -> Handler:
    """Return what has a ticket's run executed as a coroutine."""
    pool: AsyncPool = consumer.pool
    make_request = partial(CoroutineRequest, app=app, task=task, consumer=consumer)

    def start(message: Any, ticket: ReceivedTicket, on_done: Done, *_: Any) -> None:
        if on_done is None:
            message.ack_log_error(log, consumer.connection_errors)
        taken = TakenTicket(task.definition, ticket.run_id, ticket.reservation, on_done, message, make_request)
        if ticket.run_id not in revoked or not taken.request.revoked():
            pool.take(taken, consumer)

    return start


def _ignoring_arguments(call: Done) -> Callable[..., object] | None:
    """Return a function that Celery may call with its logger and connection errors."""
    return None if call is None else lambda *_: call()
