"""A kombu transport for Redis 7.0+ and Valkey that takes many tickets in one command and keeps no books of them.

What kombu's own transport costs for a message is three round trips: BRPOP, ZADD and HSET into ``unacked``, ZREM and
HDEL at the acknowledgement. A ticket needs none of the last two: upkeep publishes again what a dead node took along.

- One ``BLMPOP … RIGHT COUNT n`` takes as many messages of a list as may start now (``free_slots``). Nothing is taken
  while that is 0, and the next command is sent in the same turn of the loop in which a slot is freed.
- Of runs that follow each other within milliseconds, tickets are taken ahead of the slots they start in (``ahead``).
- A ticket is kept in memory until it is acknowledged, and put back at its old place when the channel closes.
- A message without taskflow's header is entered into ``unacked`` right after the pop, as kombu does it: its
  visibility timeout, its restoring and its order are kombu's.

``COUNT`` is fixed when the command is sent, and only the thread of the event loop starts work; still slots may fill
while it blocks (a waiting run resumes). Every reply is therefore read at once and counted again: what may not start any
more goes back to the front of its list. Whoever frees a slot in another thread wakes the loop (``hub.call_soon``).
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

FreeSlots = Callable[[str], int]
"""How many messages of a queue may start now. Called in the event loop, several times a message: keep it cheap."""

logger = logging.getLogger(__name__)
_SHORT_WAIT_S: Final = 0.1


def set_free_slots(
    channel: object,
    free_slots: FreeSlots,
    newest_first: Callable[[], bool] = lambda: False,
    *,
    hub: object = None,
) -> bool:
    """Let the channel take no more messages than may start, however large its prefetch count is.

    To be called for each new channel, so after every reconnection, before it consumes.

    Args:
        newest_first: Whether the messages that were sent last are to be taken now.
        hub: Celery's event loop, when tickets may be taken ahead of the slots they start in; see ``ahead``.

    Returns:
        Whether the channel obeys: another transport's does not (RabbitMQ's prefetch count is all there is).
    """
    if not isinstance(channel, Channel):
        return False
    channel.free_slots, channel.newest_first = free_slots, newest_first
    channel.ahead = None if hub is None else Ahead(hub, channel.put_back)
    return True


class Channel(redis.Channel):
    """Consumes with BLMPOP. Options besides kombu's: ``max_batch``, how many messages one command takes at most."""

    QoS = TicketQoS
    from_transport_options: tuple[str, ...] = (*redis.Channel.from_transport_options, "max_batch")

    free_slots: FreeSlots | None = None
    ahead: Ahead | None = None
    newest_first: Callable[[], bool] = staticmethod(lambda: False)
    max_batch: int = 100
    if TYPE_CHECKING:  # what the stubs of kombu leave out
        _brpop_sent_at: float | None
        _closing: bool
        _in_poll: Any
        _queue_cycle: Any
        connection_errors: tuple[type[Exception], ...]

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
            client.rpush(key, *reversed(list(texts)))  # consumers take from the right

    def close(self) -> None:
        """Put back what is not acknowledged or not started, then close."""
        try:
            self._give_back_ahead()
        except self.connection_errors:
            logger.warning("broker.not_put_back", exc_info=True)  # upkeep publishes them again
        try:
            super().close()
        finally:  # kombu leaves its sockets open when the server is away; and putting back has made a connection
            self._disconnect_pools()
            self._close_clients()

    def _connparams(self, asynchronous: bool = False) -> dict[str, object]:
        if self.connection.client is None:  # kombu could not close it, has forgotten its address, and tries again
            raise ConnectionError("The broker's connection was closed.")
        params: dict[str, object] = cast(Any, super())._connparams(asynchronous=asynchronous)  # not in the stubs
        return params

    def _brpop_start(self, timeout: float | None = None) -> None:
        if self.ahead:
            self._deliver(*self.ahead.take())
            if not self.qos.can_consume():
                return
            self.ahead.give_back()  # of a queue that is closed, while there is room for another one's
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
        if len(queues) < len(active):  # the other queues may be taken from any moment
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
                transport._deliver(read_message(key, taken.popleft()), queue)
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
            # A node that stops may finish its runs for hours: what the last command takes goes back now. It blocks
            # for `brpop_timeout` (1 s) at most.
            with suppress(Empty, *self.connection_errors):
                self._brpop_read()
        return cancelled


class Poller(redis.MultiChannelPoller):
    """Reads every reply at once, and control commands at all times."""

    if TYPE_CHECKING:
        _fd_to_chan: dict[int, tuple[Channel, str]]

    def on_readable(self, fileno: int) -> None:
        """Read what arrived on a socket."""
        channel, kind = self._fd_to_chan.get(fileno, (None, ""))
        if channel is not None and (kind == "LISTEN" or channel.is_taking):
            channel.handlers[kind]()
        else:
            super().on_readable(fileno)

    def _pause_brpop(self, channel: Channel, fileno: int) -> None:
        """Keep polling where kombu would stop: a reply that came too late is put back, not kept in the socket."""


class Transport(redis.Transport):
    """The transport behind the scheme ``taskflow-redis``."""

    Channel = Channel

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cycle = Poller()
