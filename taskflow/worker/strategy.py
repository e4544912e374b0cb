"""What a node does with a message of ours: a ticket goes to its executor, a plain Celery message becomes a run."""

import logging
from collections.abc import Callable
from typing import Any

from celery.worker.strategy import default

from taskflow.broker.messages import ticket_from_headers
from taskflow.worker.adoption import adopt
from taskflow.worker.async_pool import AsyncPool
from taskflow.worker.async_runs import Order
from taskflow.worker.run_task import RunTask
from taskflow.worker.runtime import runtime_of

log = logging.getLogger("taskflow.node")
Handler = Callable[..., Any]


def ticket_strategy(task: RunTask, app: Any, consumer: Any, **options: Any) -> Handler:
    """Return the handler of one task's messages, called on the hub's thread."""
    runtime = runtime_of(app)
    through_celery: Handler = default(task, app, consumer, **options)
    pool = consumer.pool

    def handle(message: Any, body: Any, ack: Any, reject: Any, callbacks: Any, **_: Any) -> Any:
        ticket = ticket_from_headers(message.headers)
        if ticket is None:
            return adopt(runtime, task.definition, consumer, message)
        if not isinstance(pool, AsyncPool):
            return through_celery(message, body, ack, reject, callbacks)
        message.ack_log_error(log, consumer.connection_errors)
        pool.take(Order(task.definition, ticket.run_id, ticket.reservation, message.headers.get("argsrepr", "")))
        return None

    return handle
