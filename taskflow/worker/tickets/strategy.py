"""The handler of messages of our tasks: a ticket goes to its executor, a plain Celery message becomes a run."""

import logging
from collections.abc import Callable
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
    pool = consumer.pool

    def handle(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any, **_: Any) -> Any:
        ticket = ticket_from_headers(message.headers)
        if ticket is None:
            return adopt(runtime, task.definition, consumer, message)
        if task.acks_late and consumer.held_tickets.refuse(message):
            return None
        on_done = consumer.held_tickets.hold(message) if task.acks_late else None
        try:
            return start(message, body, ticket, on_done, ack, reject, callbacks)
        except Exception:
            if on_done is not None:  # the message is refused, and its place in the window is free again
                on_done()
            raise

    def start(
        message: Any, body: Any, ticket: ReceivedTicket, on_done: Done, ack: Any, reject: Any, callbacks: Any
    ) -> Any:
        if not isinstance(pool, AsyncPool):
            return through_celery(message, body, _ignoring_arguments(on_done) or ack, reject, callbacks)
        if on_done is None:
            message.ack_log_error(log, consumer.connection_errors)
        request = CoroutineRequest(
            message,
            is_acknowledged=on_done is None,
            on_ack=_ignoring_arguments(on_done) or ack,
            app=app,
            task=task,
            hostname=consumer.hostname,
            eventer=consumer.event_dispatcher,
        )
        if ticket.run_id in revoked and request.revoked():
            return None
        pool.take(TakenTicket(task.definition, ticket.run_id, ticket.reservation, on_done, request), consumer)
        return None

    return handle


def _ignoring_arguments(call: Done) -> Callable[..., object] | None:
    """Return a function that Celery may call with its logger and connection errors."""
    return None if call is None else lambda *_: call()
