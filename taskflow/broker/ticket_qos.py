"""The record of the tickets that a channel has delivered, and their way back to their lists."""

import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from kombu.transport import redis, virtual
from kombu.utils.encoding import bytes_to_str
from kombu.utils.json import loads

from taskflow.broker.messages import ticket_from_headers
from taskflow.store.connections.failures import is_full

logger = logging.getLogger(__name__)


class TakenMessage(dict[str, Any]):
    """A message as kombu delivers it, with its list and its text, so that it can be put back unchanged."""

    __slots__ = ("key", "text")

    def __init__(self, message: dict[str, Any], key: str, text: str | bytes) -> None:
        super().__init__(message)
        self.key, self.text = key, text


class UnackedTicket(TakenMessage):
    """A message that is recorded in memory only: a ticket, or what a full server could not record."""

    __slots__ = ()


class TicketQoS(redis.QoS):
    """Records delivered tickets in memory, and other messages in ``unacked``."""

    if TYPE_CHECKING:
        channel: Any  # ``redis_transport.Channel``, which imports this module
        _delivered: Any

    def can_consume(self) -> bool:
        """Whether at least one message may start."""
        return any(self.room(queue) > 0 for queue in self.channel.active_queues)

    def room(self, queue: str) -> int:
        """Return how many messages of a queue may be taken now: at most the free slots and the prefetch count."""
        by_prefetch = cast("int | None", self.can_consume_max_estimate())  # None: not limited
        free_slots: Callable[[str], int] | None = self.channel.free_slots
        if free_slots is None:
            return 1 if by_prefetch is None else by_prefetch
        return free_slots(queue) if by_prefetch is None else min(free_slots(queue), by_prefetch)

    def append(self, message: Any, delivery_tag: str) -> None:
        """Record a delivered message."""
        raw = message._raw
        if not isinstance(raw, UnackedTicket):
            try:
                redis.QoS.append(self, message, delivery_tag)
                return
            except self.channel.ResponseError as error:
                if not is_full(error):
                    raise
            message._raw = UnackedTicket(raw, raw.key, raw.text)
        virtual.QoS.append(self, message, delivery_tag)

    def ack(self, delivery_tag: str) -> None:
        """Forget a message. Safe in any thread. Does nothing when its channel has closed and put it back."""
        if self._ticket(delivery_tag) is not None:
            virtual.QoS.ack(self, delivery_tag)
        elif not self.channel.closed:
            super().ack(delivery_tag)

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        """Forget a message. With ``requeue`` it goes to the end of its list, behind all others."""
        message = self._delivered.get(delivery_tag)
        if message is None:
            super().reject(delivery_tag, requeue)
            return
        if requeue:
            self.channel.put_last(message._raw.key, message._raw.text)
        self.ack(delivery_tag)

    def restore_visible(self, start: int = 0, num: int = 10, interval: int = 10) -> None:
        """Put back messages whose consumer is gone, as kombu does; on a full server once it has room again."""
        try:
            super().restore_visible(start, num, interval)
        except self.channel.ResponseError as error:
            if not is_full(error):
                raise

    def restore_unacked(self, client: Any | None = None) -> None:
        """Put all unacknowledged messages back to the front of their lists, the oldest first."""
        delivered = dict(self._delivered)
        self._delivered.clear()
        tickets: dict[str, list[str | bytes]] = {}
        for message in delivered.values():
            if isinstance(message._raw, UnackedTicket):
                tickets.setdefault(message._raw.key, []).append(message._raw.text)
        try:
            for key, texts in tickets.items():
                self.channel.put_back(key, texts)
            for tag, message in reversed(delivered.items()):
                if not isinstance(message._raw, UnackedTicket):
                    self.restore_by_tag(tag, client)
        except self.channel.connection_errors:
            # Plain messages stay in `unacked` until their visibility timeout; upkeep publishes the tickets again.
            logger.warning("broker.not_put_back", extra={"messages": len(delivered)}, exc_info=True)

    def _ticket(self, delivery_tag: str) -> UnackedTicket | None:
        message = self._delivered.get(delivery_tag)
        raw = None if message is None else message._raw
        return raw if isinstance(raw, UnackedTicket) else None


def put_back_copy(message: Any) -> bool:
    """Put a copy of a ticket back to the front of its list. The node that claims the run first executes it.

    Returns:
        Whether it was put back. False when the broker is away, or the message came over another transport.
    """
    if not isinstance(message._raw, UnackedTicket):
        return False
    try:
        message.channel.put_back(message._raw.key, [message._raw.text])
    except message.channel.connection_errors:
        return False
    return True


def read_message(key: str, text: str | bytes) -> dict[str, Any]:
    """Return a message of a list as kombu delivers it. A ticket also has its text and its list.

    Raises:
        Exception: The text is no message of kombu.
    """
    text_of_message = bytes_to_str(text)
    message: dict[str, Any] = json.loads(
        text_of_message
    )  # kombu's reader takes twice as long, and a ticket is plain JSON
    if ticket_from_headers(message.get("headers")) is not None:
        return UnackedTicket(message, key, text)
    return TakenMessage(loads(text_of_message), key, text)
