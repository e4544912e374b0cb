"""Keeps what one message holds from ending the node: whatever it raises while it is read refuses this message alone."""

import logging
from collections.abc import Callable
from typing import Any

from taskflow.broker.redis_transport import is_connection_error, set_on_unreadable
from taskflow.store.operations.adoption import RefusedMessage
from taskflow.worker.attempt.runtime import runtime_of
from taskflow.worker.tickets.plain_message import UnreadableMessageError
from taskflow.worker.tickets.refusal import keep, refuse

log = logging.getLogger("taskflow.node")


def guard_consumer(consumer: Any) -> None:
    """Have a consumer refuse what it cannot read, instead of ending or of dropping it without a trace.

    Call it before the consumer starts: Celery binds its handlers then.
    """
    make_handler: Callable[[], Callable[[Any], Any]] = consumer.create_task_handler

    def create_task_handler(*_: Any, **__: Any) -> Callable[[Any], Any]:
        handle = make_handler()

        def handle_safely(message: Any) -> Any:
            try:
                return handle(message)
            except Exception as error:
                if is_connection_error(error, consumer.connection_errors):
                    raise
                log.debug("message.unreadable", exc_info=True)
                refuse(consumer, message, _reason(error))

        return handle_safely

    def on_unknown_message(_: Any, message: Any) -> None:
        refuse(consumer, message, "its task is not named: neither a header nor the body has a field `task`")

    def on_unknown_task(_: Any, message: Any, __: Exception) -> None:
        refuse(consumer, message, "no such task is declared here")

    def on_invalid(_: Any, message: Any, error: Exception) -> None:
        refuse(consumer, message, _reason(error))

    def on_decode_error(message: Any, error: Exception) -> None:
        refuse(consumer, message, _reason(error))

    consumer.create_task_handler = create_task_handler
    consumer.on_unknown_message = on_unknown_message
    consumer.on_unknown_task = on_unknown_task
    consumer.on_invalid_task = on_invalid
    consumer.on_decode_error = on_decode_error


def guard_channel(consumer: Any) -> None:
    """Have the consumer's channel hand over what is no message at all. Anew for each connection."""
    runtime = runtime_of(consumer.app)

    def on_unreadable(queue: str, text: bytes, error: Exception) -> None:
        shown = text[:8000].decode(errors="backslashreplace")
        keep(runtime, RefusedMessage("", "", queue, f"it is no message of kombu: {_reason(error)}", len(text), shown))

    set_on_unreadable(consumer.task_consumer.channel, on_unreadable)


def _reason(error: Exception) -> str:
    """Return why a message was refused, on one line and without values that an error of other code may show."""
    return str(error) if isinstance(error, UnreadableMessageError) else f"it raised {type(error).__name__}"
