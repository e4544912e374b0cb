"""Idle connections kept for reuse, without the bookkeeping of redis-py's pools.

Measured: redis-py 8.1's pool adds 25 to 40 microseconds to a command. Every operation may be repeated safely, so a
connection that the server closed meanwhile is noticed when it is used.
"""

import os
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, cast
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import hiredis
from redis import ConnectionPool
from redis.asyncio import Connection as AsyncConnection
from redis.asyncio import ConnectionPool as AsyncConnectionPool
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from taskflow import guard_of_tests
from taskflow.errors import SettingsError, UnstorableError
from taskflow.errors.base import shown
from taskflow.store.connections.link import Link

_OURS: Final = ("protocol", "health_check_interval")
"""Options of redis-py's URLs that change nothing: RESP2 is spoken, and a lost connection is noticed at its use."""
_pack: Callable[[tuple[Any, ...]], bytes] = cast("Any", hiredis).pack_command  # its stub takes one argument only


class Connections:
    """A stack of idle blocking connections; grows with the threads that use it, starts empty in a forked child."""

    def __init__(self, url: str, timeout: timedelta) -> None:
        self._url = url
        options = _options(url, timeout)
        from_url: Any = cast("Any", ConnectionPool).from_url  # partly untyped in redis-py
        with _named_options():
            self._pool: ConnectionPool = from_url(_redis_url(url), retry=Retry(NoBackoff(), 0), **options)
            self._pool.connection_class(**self._pool.connection_kwargs)  # it only looks at the options
        self._timeout = timeout.total_seconds()
        self._idle: list[Link] = []
        self._lent: weakref.WeakSet[Link] = weakref.WeakSet()
        self._is_closed = False
        _after_fork(self)

    def acquire(self) -> Link:
        """Return an open connection. Raises redis-py's errors when none can be opened."""
        try:
            return self._idle.pop()
        except IndexError:
            pass
        guard_of_tests.check(self._url)
        link = Link(self._pool.connection_class(**self._pool.connection_kwargs), self._timeout)
        self._lent.add(link)
        return link

    def release(self, connection: Link) -> None:
        """Keep a connection whose last reply was read."""
        if self._is_closed:
            connection.close()
        else:
            self._idle.append(connection)

    def discard(self, connection: Link) -> None:
        """Close a connection, and the idle ones, because what closed one has likely closed all."""
        connection.close()
        while self._idle:
            self._idle.pop().close()

    @contextmanager
    def one(self) -> Generator[Link]:
        """Lend a connection, kept unless the block fails."""
        connection = self.acquire()
        try:
            yield connection
        except (RedisError, OSError):
            self.discard(connection)
            raise
        self.release(connection)

    def forget(self) -> None:
        """Start empty in a forked child, because the sockets belong to the parent."""
        self._idle = []
        self._lent = weakref.WeakSet()

    def close(self) -> None:
        """Close every connection, also those in use. A thread that waits on one fails."""
        self._is_closed = True
        for connection in list(self._lent):  # also the idle ones: nothing else refers to them
            connection.close()
        self._idle.clear()


class AsyncConnections:
    """A stack of idle connections of one event loop."""

    def __init__(self, url: str, timeout: timedelta) -> None:
        self._url = url
        options = _options(url, timeout)
        from_url: Any = cast("Any", AsyncConnectionPool).from_url
        with _named_options():
            self._pool: AsyncConnectionPool = from_url(_redis_url(url), **options)
        self._idle: list[AsyncConnection] = []
        self._is_closed = False

    async def acquire(self) -> AsyncConnection:
        """Return a connected connection. Raises redis-py's errors when none can be opened."""
        if self._idle:
            return self._idle.pop()
        guard_of_tests.check(self._url)
        connection = cast("AsyncConnection", self._pool.connection_class(**self._pool.connection_kwargs))
        try:
            await cast("Any", connection).connect()
        except (
            BaseException
        ):  # redis-py leaves the socket open when it is cancelled between connecting and its greeting
            await connection.disconnect(nowait=True)
            raise
        return connection

    async def release(self, connection: AsyncConnection) -> None:
        """Keep a connection whose last reply was read."""
        if self._is_closed:  # by the end of the event loop, before the task that used it
            await connection.disconnect(nowait=True)
        else:
            self._idle.append(connection)

    async def discard(self, connection: AsyncConnection) -> None:
        """Close a connection, and the idle ones, because what closed one has likely closed all."""
        await connection.disconnect(nowait=True)
        await self._close_idle()

    async def close(self) -> None:
        """Close every idle connection, and from now on each one that is given back."""
        self._is_closed = True
        await self._close_idle()

    async def _close_idle(self) -> None:
        while self._idle:
            await self._idle.pop().disconnect()


@contextmanager
def _named_options() -> Generator[None]:
    """Raise an error that names the option of a URL that redis-py does not take."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise SettingsError(
            f"TASKFLOW_REDIS_URL has an option that a connection does not take: {error}. Options stand behind the `?`: "
            "leave this one out, or look for a misspelt name in redis-py's documentation of Connection."
        ) from error


def packed(*commands: tuple[Any, ...]) -> bytes:
    """Return commands in the server's protocol. hiredis alone takes 2 us for what takes redis-py's layers 13.

    Raises:
        UnstorableError: A text has a lone surrogate.
    """
    try:
        return b"".join(map(_pack, commands))
    except UnicodeEncodeError as error:
        raise UnstorableError(f"{shown(error.object)} has a lone surrogate at {error.start:,}") from None


def _redis_url(url: str) -> str:
    """Return a URL as redis-py reads it: ``valkey://`` is ``redis://``, and unix sockets keep their ``db``."""
    parts = urlsplit(url)
    scheme = {"valkey": "redis", "valkeys": "rediss", "redis+socket": "unix"}.get(parts.scheme, parts.scheme)
    query = [
        ("db" if name == "virtual_host" else name, value) for name, value in parse_qsl(parts.query) if name not in _OURS
    ]
    text = urlunsplit((scheme, parts.netloc, parts.path, urlencode(query), ""))
    return text if parts.netloc or scheme != "unix" or "://" in text else text.replace("unix:", "unix://", 1)


def _options(url: str, timeout: timedelta) -> dict[str, Any]:
    seconds = timeout.total_seconds()
    options: dict[str, Any] = {"socket_timeout": seconds, "protocol": 2}
    if _redis_url(url).startswith("unix:"):
        return options
    return options | {"socket_connect_timeout": seconds, "socket_keepalive": True}


_pools: "weakref.WeakSet[Connections]" = weakref.WeakSet()


def _after_fork(pool: Connections) -> None:
    _pools.add(pool)


def _forget_all() -> None:
    for pool in _pools:
        pool.forget()


os.register_at_fork(after_in_child=_forget_all)
