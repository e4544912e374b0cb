"""Publishing tickets through kombu: to RabbitMQ always, to a Redis only when it is not the store's own server."""

import os
import time
import weakref
from collections import deque
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NoReturn

from amqp.exceptions import AMQPError, MessageNacked, NotFound
from celery import Celery
from kombu import Connection, Producer
from kombu.connection import ConnectionPool
from kombu.exceptions import KombuError

from taskflow.broker.messages import BODY, CONTENT_ENCODING, CONTENT_TYPE, ticket_headers
from taskflow.broker.queues import EXCHANGE_NAME, celery_queue
from taskflow.broker.urls import is_amqp, without_password
from taskflow.errors import BrokerUnavailableError
from taskflow.store.operations.tickets import Ticket

_POOL_LIMIT: Final = 10
_TRIES: Final = 2  # the second try is over a new connection
_PERSISTENT: Final = 2
_SHORT_TEXT: Final = 255
"""Most bytes of a message's property in AMQP. The headers, which hold the id as well, have no such bound."""
_PAUSE_SECONDS: Final = 0.01
"""Pause before a ticket that RabbitMQ refused is sent again; each further pause is twice as long."""


class KombuPublisher:
    """Publishes with confirms on RabbitMQ, in one pipeline on Redis. Threads may share it; it works after a fork."""

    def __init__(self, celery: Celery, *, timeout: timedelta = timedelta(seconds=5)) -> None:
        """Connect to nothing yet.

        Args:
            timeout: Time to wait for a connection, and then for each reply. Everything is tried twice: a broker that is
                gone costs twice this time, one that hangs four times; one that refuses a ticket costs it once.
        """
        self._celery = celery
        self._timeout = timeout.total_seconds()
        self._url: str = celery.conf.broker_write_url
        self._is_amqp = is_amqp(self._url)
        self._pool = self._make_pool()
        self._of_parent: ConnectionPool | None = None
        _publishers.add(self)

    def publish(self, tickets: Sequence[Ticket]) -> None:
        """Publish tickets in order, each to a queue declared as the workers declare it.

        Raises:
            BrokerUnavailableError: The broker did not answer in time, or refused or returned a ticket.
        """
        unpublished = deque(tickets)
        for tries_left in reversed(range(_TRIES)):
            try:
                with self._connection() as connection:
                    self._publish_all(connection, unpublished)
                return
            except _UNAVAILABLE as error:
                if not tries_left or isinstance(error, _BlockedError):  # another connection would be blocked as well
                    self._refuse(f"{len(unpublished)} of {len(tickets)} tickets were not published", error)

    def queue_length(self, queue: str) -> int | None:
        """Return how many messages wait in a Celery queue, of all priorities; None when RabbitMQ has no such queue.

        Raises:
            BrokerUnavailableError: The broker did not answer in time.
        """
        for tries_left in reversed(range(_TRIES)):
            try:
                with self._connection() as connection:
                    return self._count(connection.channel(), queue)
            except NotFound:
                return None
            except _UNAVAILABLE as error:
                if not tries_left:
                    self._refuse(f"the length of {queue} is unknown", error)
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Close the idle connections. The publisher can still be used; it makes new connections."""
        pool, self._pool = self._pool, self._make_pool()
        pool.force_close_all()

    def forget_connections(self) -> None:
        """Stop using the parent's connections. For a child that was just forked."""
        self._of_parent = self._pool  # a reference, so that the collector does not close the parent's sockets here
        self._pool = self._make_pool()

    def _make_pool(self) -> ConnectionPool:
        return _Pool(
            self._celery.connection_for_write(
                connect_timeout=self._timeout, transport_options=_bounded(self._is_amqp, self._timeout)
            ),
            limit=_POOL_LIMIT,
        )

    @contextmanager
    def _connection(self) -> Generator[Connection]:
        with self._pool.acquire(block=True, timeout=self._timeout) as connection:
            try:
                connection.ensure_connection(max_retries=0)
                yield connection
            except (OSError, _BlockedError):
                if self._is_amqp and connection.connected:  # RabbitMQ would not answer its close either
                    connection.connection.collect()
                raise

    def _publish_all(self, connection: Connection, unpublished: deque[Ticket]) -> None:
        producer: Any = Producer(connection, auto_declare=False)  # its stub lacks batch()
        if not self._is_amqp:
            with producer.batch():
                for ticket in unpublished:
                    self._publish_one(producer, ticket)
            unpublished.clear()
            return
        with _returned_messages(connection) as returned:
            while unpublished:
                self._publish_patiently(producer, unpublished[0])
                if returned:  # RabbitMQ also confirms a message that it returns
                    raise _UnroutableError(f"{returned[0]} (queue {unpublished[0].queue})")
                unpublished.popleft()

    def _publish_patiently(self, producer: Any, ticket: Ticket) -> None:
        """Publish a ticket, and send it again while RabbitMQ refuses it, for half the timeout.

        RabbitMQ refuses a message for a quorum queue that another client is declaring, because it has no leader yet.
        """
        pause, end = _PAUSE_SECONDS, time.monotonic() + self._timeout / _TRIES
        while True:
            try:
                self._publish_one(producer, ticket)
                return
            except MessageNacked:
                if time.monotonic() + pause > end:
                    raise
                time.sleep(pause)
                pause *= 2

    def _count(self, channel: Any, queue: str) -> int:
        with channel:
            # On Redis this does not declare the queue: kombu counts its lists.
            return int(channel.queue_declare(queue=queue, passive=self._is_amqp).message_count)

    def _publish_one(self, producer: Any, ticket: Ticket) -> None:
        producer.publish(
            BODY,
            content_type=CONTENT_TYPE,
            content_encoding=CONTENT_ENCODING,
            headers=ticket_headers(
                self._celery,
                run_id=ticket.run_id,
                task_id=ticket.task_id,
                reservation=ticket.reservation,
                argsrepr=ticket.argsrepr,
                trace=ticket.trace,
            ),
            # On Redis straight to the list, because a lost binding table would lose the ticket without an error.
            exchange=EXCHANGE_NAME if self._is_amqp else "",
            routing_key=ticket.queue,
            declare=[celery_queue(ticket.queue, is_amqp=self._is_amqp)],  # kombu declares it once per connection
            mandatory=True,
            delivery_mode=_PERSISTENT,
            correlation_id=ticket.run_id if len(ticket.run_id.encode()) <= _SHORT_TEXT else None,
            confirm_timeout=self._timeout,
        )

    def _refuse(self, what: str, error: Exception) -> NoReturn:
        raise BrokerUnavailableError(
            f"The broker {without_password(self._url)} is not available: {what}. {type(error).__name__}: {error}. "
            "Runs that exist are published again by upkeep. Check TASKFLOW_BROKER_URL with `taskflow doctor`."
        ) from error


class _BlockedError(KombuError):
    """RabbitMQ takes no messages, because of its memory or disk alarm, and reads no more from the connection."""


def _refuse_blocked(reason: str) -> NoReturn:
    """Raise at once, where py-amqp would wait for a confirm, and then for the answer to its close."""
    raise _BlockedError(
        f"It takes no messages for now: {reason}. Free memory or disk there (`rabbitmqctl status` shows its alarms)"
    )


class _UnroutableError(KombuError):
    """RabbitMQ returned a ticket, because its queue was deleted after its declaration."""


class _Pool(ConnectionPool):
    """A pool that a fork does not close, because closing it would shut down the sockets of the parent process."""

    close_after_fork = False
    if TYPE_CHECKING:

        def acquire(self, block: bool = False, timeout: float | None = None) -> Connection: ...


@contextmanager
def _returned_messages(connection: Connection) -> Generator[list[str]]:
    returned: list[str] = []

    def remember(reason: Exception, *_: object) -> None:
        returned.append(str(reason))

    channel: Any = connection.default_channel
    channel.events["basic_return"].add(remember)
    try:
        yield returned
    finally:
        channel.events["basic_return"].discard(remember)


def _bounded(is_amqp: bool, timeout: float) -> dict[str, Any]:
    once = {"max_retries": 0}  # publish() reconnects; kombu would do so until its own timeout
    if is_amqp:
        return once | {"read_timeout": timeout, "write_timeout": timeout, "on_blocked": _refuse_blocked}
    return once | {"socket_connect_timeout": timeout, "socket_timeout": timeout}


def _unavailable() -> tuple[type[Exception], ...]:
    # redis-py's errors as kombu lists them, except KeyError: kombu needs it for its own loop, here it would be a bug.
    from kombu.transport.redis import get_redis_error_classes

    connection_errors, channel_errors = get_redis_error_classes()
    listed = (OSError, AMQPError, MessageNacked, KombuError, *connection_errors, *channel_errors)
    return tuple(kind for kind in listed if kind is not KeyError)


_UNAVAILABLE: Final = _unavailable()
_publishers: weakref.WeakSet[KombuPublisher] = weakref.WeakSet()


def _forget_connections() -> None:
    for publisher in list(_publishers):
        publisher.forget_connections()


os.register_at_fork(after_in_child=_forget_connections)
