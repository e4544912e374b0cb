"""Messages that a process has popped from Redis lists itself, as kombu would deliver them. For tests in place."""

import json
from collections.abc import Sequence
from typing import Any, Final, cast

from kombu.transport.redis import PRIORITY_STEPS
from kombu.transport.virtual import Base64, Channel, Message

from taskflow.broker.messages import ReceivedTicket, ticket_from_headers

_SEPARATOR: Final = "\x06\x16"


def lists_of(queue: str) -> list[str]:
    """Return the lists on which kombu keeps the messages of a queue, one for each priority, the most urgent first."""
    return [f"{queue}{_SEPARATOR}{step}" if step else queue for step in PRIORITY_STEPS]


class _Codec:
    """Decodes bodies, as the channel of a message does."""

    def decode_body(self, body: Any, encoding: str | None = None) -> Any:
        return Base64().decode(body) if encoding == "base64" else body


class TakenMessage(Message):
    """A message without a channel: it is off its list already."""

    def __init__(self, text: bytes) -> None:
        super().__init__(json.loads(text), channel=cast("Channel", _Codec()))
        self.is_returned = False

    @property
    def task_id(self) -> str:
        """The id of the task that it names."""
        return str((self.headers or {}).get("task", ""))

    @property
    def ticket(self) -> ReceivedTicket | None:
        """The ticket that it is, None for a message of a plain producer."""
        return ticket_from_headers(self.headers)

    def ack_log_error(self, logger: Any, errors: Any, multiple: bool = False) -> None:
        """Do nothing."""

    def requeue(self) -> None:
        """Note that it was not taken."""
        self.is_returned = True


class NoConsumer:
    """The part of a Celery consumer that handlers of messages use, without events."""

    event_dispatcher: None = None
    connection_errors: Sequence[type[Exception]] = ()
