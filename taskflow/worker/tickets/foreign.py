"""Tickets of tasks that this node's code does not declare: left for nodes that do, as while a new version rolls out."""

import logging
from contextlib import suppress
from typing import Any, Final

from taskflow.broker.messages import ticket_from_headers

log = logging.getLogger("taskflow.node")
RETURN_AFTER_SECONDS: Final = 0.5
"""How long such a ticket is held: nodes that don't know it would hand it to each other all the time."""


def give_back_foreign_tickets(consumer: Any) -> None:
    """Have a consumer give the tickets back that Celery would refuse and call failed: some other node runs them.

    The queue's nodes have tried them one after the other within seconds. Other unknown messages are Celery's matter.
    """
    if hasattr(consumer, "refuse_unknown_task"):
        return
    consumer.refuse_unknown_task = consumer.on_unknown_task

    def on_unknown_task(body: Any, message: Any, error: Any) -> None:
        ticket = ticket_from_headers(message.headers)
        if ticket is None:
            consumer.refuse_unknown_task(body, message, error)
            return
        task = message.headers.get("task")
        log.warning("ticket.foreign: %s of task %r, which is not declared here, is given back", ticket.run_id, task)
        consumer.hub.call_later(RETURN_AFTER_SECONDS, give_back, message)

    def give_back(message: Any) -> None:
        with suppress(*consumer.connection_errors):  # gone: it comes again by itself
            if not message.acknowledged:
                message.requeue()

    consumer.on_unknown_task = on_unknown_task
