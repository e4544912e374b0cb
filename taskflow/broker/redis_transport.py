"""A kombu transport for Redis 7.0+ and Valkey that takes many tickets in one command and records none in ``unacked``.

kombu's own transport needs three round trips for a message: BRPOP, then ZADD and HSET into ``unacked``, then ZREM and
HDEL at the acknowledgement. A ticket does not need the last two, because upkeep publishes a dead node's tickets again.

- One ``BLMPOP … RIGHT COUNT n`` takes as many messages of a list as may start now (``free_slots``). Nothing is taken
  while that number is 0. The next command is sent in the same turn of the loop in which a slot is freed.
- While runs follow each other within milliseconds, tickets are taken ahead of their slots (``ahead``).
- A ticket is kept in memory until it is acknowledged. When the channel closes, it goes back to its old position.
- A message without taskflow's header is entered into ``unacked`` right after the pop, as by kombu, which also decides
  its visibility timeout, its restoring and its order.

``COUNT`` is fixed when the command is sent, and only the thread of the event loop starts work. Yet slots may fill while
the command blocks, for example when a waiting run resumes. Therefore every reply is read at once and its messages are
counted again: those that may not start any more go back to the front of their list. A thread that frees a slot wakes
the loop (``hub.call_soon``).
"""

import logging
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty
from time import monotonic
from typing import TYPE_CHECKING, Any, Final, cast

from kombu.transport import redis
from kombu.utils.encoding import bytes_to_str

from taskflow.broker.ahead import Ahead
from taskflow.broker.ticket_qos import TicketQoS, read_message
from taskflow.store.connections.failures import is_full

FreeSlots = Callable[[str], int]
"""Returns how many messages of a queue may start now. It must be cheap: the loop calls it several times a message."""

OnUnreadable = Callable[[str, bytes, Exception], None]
"""Gets the queue and the text of an entry that is no message, and what kombu raised. It must not raise."""

logger = logging.getLogger(__name__)
_SHORT_WAIT_S: Final = 0.1
_PUSH: Final = """#!lua flags=allow-oom
for number = 2, #ARGV do
  redis.call(ARGV[1], KEYS[1], ARGV[number])
end"""


def set_free_slots(
    channel: object,
    free_slots: FreeSlots,
    newest_first: Callable[[], bool] = lambda: False,
    *,
    hub: object = None,
) -> bool:
    """Let the channel take at most as many messages as may start, however large its prefetch count is.

    Call it for each new channel before it consumes, so also after every reconnection.

    Args:
        newest_first: Returns whether the channel takes the newest messages first now.
        hub: Celery's event loop, when tickets may be taken ahead of their slots (``ahead``); else None.

    Returns:
        Whether the channel does so. Only channels of this transport do: on RabbitMQ only the prefetch count bounds it.
    """
    if not isinstance(channel, Channel):
        return False
    channel.free_slots, channel.newest_first = free_slots, newest_first
    channel.ahead = None if hub is None else Ahead(hub, channel.put_back)
    return True


def set_on_unreadable(channel: object, on_unreadable: OnUnreadable) -> None:
    """Have a channel of this transport hand over entries of a list that are no messages. Others never have such."""
    if isinstance(channel, Channel):
        channel.on_unreadable = on_unreadable


def is_connection_error(error: Exception, listed: tuple[type[Exception], ...]) -> bool:
    """Whether an error is of the connection. kombu lists KeyError among them, which a message can cause as well."""
    return isinstance(error, listed) and not isinstance(error, KeyError)


def _drop(queue: str, text: bytes, error: Exception) -> None:
    logger.error("broker.unreadable: an entry of %s, %d bytes: %s", queue, len(text), type(error).__name__)


class Channel(redis.Channel):
    """Consumes with BLMPOP. It has kombu's options and ``max_batch``, the most messages that one command takes."""

    QoS = TicketQoS
    from_transport_options: tuple[str, ...] = (*redis.Channel.from_transport_options, "max_batch")

    free_slots: FreeSlots | None = None
    ahead: Ahead | None = None
    newest_first: Callable[[], bool] = staticmethod(lambda: False)
    on_unreadable: OnUnreadable = staticmethod(_drop)
    max_batch: int = 100
    if TYPE_CHECKING:  # not in the stubs of kombu
        _binding_expiry_refreshed_at: float
        _brpop_sent_at: float | None
        _closing: bool
        _in_poll: Any
        _queue_cycle: Any
        connection_errors: tuple[type[Exception], ...]
        ResponseError: type[Exception]

        @property
        def qos(self) -> TicketQoS: ...
        def _disconnect_pools(self) -> None: ...
        def _close_clients(self) -> None: ...
        def _flush_brpop_reauth(self) -> None: ...
        def _q_for_pri(self, queue: str, pri: int) -> str: ...

    @property
    def is_taking(self) -> bool:
        """Whether a command was sent whose reply has not been read."""
        return bool(self._in_poll)

    def put_back(self, key: str, texts: Iterable[str | bytes]) -> None:
        """Put messages, oldest first, back to the front of their list, in one command."""
        with self.conn_or_acquire() as client:
            self._push(client, "RPUSH", key, *reversed(list(texts)))  # consumers take from the right

    def put_last(self, key: str, text: str | bytes) -> None:
        """Put a message behind all others of its list."""
        with self.conn_or_acquire() as client:
            self._push(client, "LPUSH", key, text)

    def _push(self, client: Any, command: str, key: str, *texts: str | bytes) -> None:
        """Push what was in the list before, which a server that has reached its ``maxmemory`` takes from a script."""
        client.eval(_PUSH, 1, f"{self.global_keyprefix}{key}", command, *texts)

    def maybe_refresh_binding_expiry(self) -> None:
        """Keep the bindings of expiring queues, as kombu does. A full server is tried again with the next refresh."""
        try:
            cast(Any, super()).maybe_refresh_binding_expiry()  # not in the stubs
        except self.ResponseError as error:
            if not is_full(error):
                raise
            self._binding_expiry_refreshed_at = monotonic()

    def close(self) -> None:
        """Put back the messages that are not acknowledged or not started, then close."""
        try:
            self._give_back_ahead()
        except self.connection_errors:
            logger.warning("broker.not_put_back", exc_info=True)  # upkeep publishes these tickets again
        try:
            super().close()
        finally:  # kombu leaves its sockets open when the server is away, and put_back() has opened a connection
            self._disconnect_pools()
            self._close_clients()

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        """Bind a queue, for producers that route by the exchange. A node consumes lists, so it starts without, too."""
        try:
            cast(Any, super())._queue_bind(exchange, routing_key, pattern, queue)  # not in the stubs
        except self.ResponseError as error:
            if not is_full(error):
                raise
            logger.warning("broker.full: queue %s is not bound: %s", queue, error)

    def _connparams(self, asynchronous: bool = False) -> dict[str, object]:
        if self.connection.client is None:  # kombu failed to close it, dropped its address, and closes it once more
            raise ConnectionError("The broker's connection was closed.")
        params: dict[str, object] = cast(Any, super())._connparams(asynchronous=asynchronous)  # not in the stubs
        return params

    def _brpop_start(self, timeout: float | None = None) -> None:
        if self.ahead:
            self._deliver(*self.ahead.take())
            if not self.qos.can_consume():
                return
            self.ahead.give_back()  # their queue has no free slot, while another queue has one
        active: list[str] = self._queue_cycle.consume(len(self.active_queues))
        rooms = {queue: room for queue in active if (room := self.qos.room(queue)) > 0}
        queues = list(rooms)
        if not queues:
            return
        prefix = self.global_keyprefix
        keys = [f"{prefix}{self._q_for_pri(queue, step)}" for step in self.priority_steps for queue in queues]
        has_all = self.ahead is not None and len(queues) == len(active)
        ahead = self.ahead.most() if self.ahead is not None and has_all and not self.newest_first() else 0
        count = min(min(rooms.values()) + ahead, self.max_batch)
        wait = self.brpop_timeout if timeout is None else timeout
        if len(queues) < len(active):  # the other queues may get a free slot at any moment
            wait = min(wait, _SHORT_WAIT_S)
        connection = self.client.connection
        self._in_poll = connection
        self._brpop_sent_at = monotonic()
        end = "LEFT" if self.newest_first() else "RIGHT"
        connection.send_command("BLMPOP", wait or 0, len(keys), *keys, end, "COUNT", count)

    def _brpop_read(self, **options: Any) -> bool:
        reply = self._read_reply(**options)
        if not reply:
            raise Empty
        key = bytes_to_str(reply[0]).removeprefix(self.global_keyprefix)
        queue = key.rsplit(self.sep, 1)[0]
        self._queue_cycle.rotate(queue)
        self._deliver(key, queue, deque(reply[1]))
        return True

    def _read_reply(self, **options: Any) -> Any:
        connection = self.client.connection
        try:
            return self.client.parse_response(connection, "BLMPOP", **options)
        except self.connection_errors:
            connection.disconnect()  # the next turn of the loop connects again
            raise
        finally:
            self._in_poll = None
            self._flush_brpop_reauth()

    def _deliver(self, key: str, queue: str, taken: deque[str | bytes]) -> None:
        transport: Any = self.connection
        try:
            while taken and self._is_consuming(queue) and self.qos.room(queue) > 0:
                text = taken.popleft()
                try:
                    transport._deliver(read_message(key, text), queue)
                except Exception as error:
                    if is_connection_error(error, self.connection_errors):
                        raise
                    self.on_unreadable(queue, text if isinstance(text, bytes) else text.encode(), error)
                if self.ahead is not None:
                    self.ahead.started()
            if taken and self.ahead is not None and self._is_consuming(queue):
                self.ahead.keep(key, queue, taken)
                taken = deque()
        finally:
            if taken:
                self.put_back(key, taken)

    def _is_consuming(self, queue: str) -> bool:
        transport: Any = self.connection
        return not self._closing and queue in transport._callbacks

    def _give_back_ahead(self) -> None:
        if self.ahead is not None:
            self.ahead.give_back()

    def _basic_cancel(self, consumer_tag: str) -> object:
        cancelled: object = cast(Any, super())._basic_cancel(consumer_tag)  # not in the stubs
        if not self.active_queues:
            self._give_back_ahead()
        if self.is_taking and not self.active_queues:
            # Messages that the last command takes go back now, because a node that stops may execute its runs for
            # hours. The command blocks for `brpop_timeout` (1 s) at most.
            with suppress(Empty, *self.connection_errors):
                self._brpop_read()
        return cancelled


class Poller(redis.MultiChannelPoller):
    """Reads every reply at once, and control commands at all times."""

    if TYPE_CHECKING:
        _fd_to_chan: dict[int, tuple[Channel, str]]

    def on_readable(self, fileno: int) -> None:
        """Read the reply, or the control command, that arrived on a socket."""
        channel, kind = self._fd_to_chan.get(fileno, (None, ""))
        if channel is not None and (kind == "LISTEN" or channel.is_taking):
            channel.handlers[kind]()
        else:
            super().on_readable(fileno)

    def _pause_brpop(self, channel: Channel, fileno: int) -> None:
        """Keep polling where kombu would stop, so that a late reply is read and put back, not left in the socket."""


class Transport(redis.Transport):
    """The transport of the scheme ``taskflow-redis``."""

    Channel = Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()
