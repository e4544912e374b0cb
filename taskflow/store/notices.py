"""Notices: scripts publish that a stream has grown, and its readers look into it then. A notice carries no content.

One connection a process (and one an event loop) while anybody listens. Every reader is woken when the connection is
lost, and again when the server has confirmed the subscription, so that no reader misses what was written in between.
"""

import asyncio
import contextlib
import math
import os
import select
import ssl
import threading
import time
from collections.abc import Generator
from typing import Any, Final

from redis.exceptions import TimeoutError  # noqa: A004 - redis's class, not the builtin

from taskflow.store.connections.link import Link
from taskflow.store.connections.pools import AsyncConnections, Connections, packed
from taskflow.store.sync_store import UNREACHABLE
from taskflow.store.wire import StoreConfig

_PAUSE_SECONDS: Final = 0.2
_POLL_MS: Final = 5000


class Notices:
    """Wakes threads. A forked child begins without the listeners of its parent."""

    def __init__(self, config: StoreConfig) -> None:
        self._connections = Connections(config.url, config.timeout)
        self._begin()

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._using = threading.Lock()
        self._waiting: dict[bytes, list[threading.Event]] = {}
        self._connection: Link | None = None
        self._is_serving = False

    @contextlib.contextmanager
    def listening(self, channel: bytes) -> Generator[threading.Event]:
        """Hold an event that is set at every notice on a channel. Clear it, look, then wait."""
        if self._pid != os.getpid():
            self._begin()
        news = threading.Event()
        self._enlist(channel, news)
        try:
            yield news
        finally:
            self._delist(channel, news)

    def close(self) -> None:
        """Close the connection, and end the thread."""
        with self._lock:
            self._waiting.clear()
        self._connections.close()

    def _enlist(self, channel: bytes, news: threading.Event) -> None:
        with self._lock:
            is_first = channel not in self._waiting
            self._waiting.setdefault(channel, []).append(news)
            connection = self._connection
            if not self._is_serving:
                self._is_serving = True
                threading.Thread(target=self._serve, name="taskflow-notices", daemon=True).start()
            if is_first and connection is not None:
                self._send(connection, b"SUBSCRIBE", channel)

    def _delist(self, channel: bytes, news: threading.Event) -> None:
        with self._lock:
            waiting = self._waiting.get(channel, [])
            if news in waiting:
                waiting.remove(news)
            is_last = not waiting and self._waiting.pop(channel, None) is not None
            connection = self._connection
            if is_last and connection is not None:  # in the lock: not after another thread's SUBSCRIBE
                self._send(connection, b"UNSUBSCRIBE", channel)

    def _send(self, connection: Link, *command: bytes) -> None:
        with self._using, contextlib.suppress(*UNREACHABLE):  # the reading thread notices a lost connection
            connection.send(packed(command))

    def _serve(self) -> None:
        while True:
            try:
                with self._connections.one() as connection:
                    self._listen(connection)
                    raise ConnectionError  # never kept: it may still be subscribed
            except UNREACHABLE:
                if self._has_ended():
                    return
            self._wake_all()
            time.sleep(_PAUSE_SECONDS)

    def _listen(self, connection: Link) -> None:
        news = select.poll()
        news.register(connection, select.POLLIN)
        with self._lock:
            self._connection = connection
            if self._waiting:
                self._send(connection, b"SUBSCRIBE", *self._waiting)
        while True:
            with self._lock:
                if not self._waiting:
                    return
            news.poll(_POLL_MS)
            for channel in self._arrived(connection):
                self._wake(channel)

    def _arrived(self, connection: Link) -> list[bytes]:
        """Return the channels of the notices that have arrived. Two threads must not read and write TLS at once."""
        arrived: list[bytes] = []
        with self._using, contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
            while True:
                _, channel, _ = connection.read(timeout=0)
                arrived.append(channel)
        return arrived

    def _has_ended(self) -> bool:
        """Forget the lost connection. Returns whether the thread can end because nobody listens."""
        with self._lock:
            self._connection = None
            self._is_serving = bool(self._waiting)
            return not self._is_serving

    def _wake(self, channel: bytes) -> None:
        with self._lock:
            for news in self._waiting.get(channel, ()):
                news.set()

    def _wake_all(self) -> None:
        with self._lock:
            for waiting in self._waiting.values():
                for news in waiting:
                    news.set()


class AsyncNotices:
    """Wakes the coroutines of one event loop."""

    def __init__(self, config: StoreConfig) -> None:
        self._connections = AsyncConnections(config.url, config.timeout)
        self._waiting: dict[bytes, list[asyncio.Event]] = {}
        self._connection: Any = None
        self._serving: asyncio.Task[None] | None = None
        self._sends: set[asyncio.Task[None]] = set()

    @contextlib.contextmanager
    def listening(self, channel: bytes) -> Generator[asyncio.Event]:
        """Hold an event that is set at every notice on a channel. Clear it, look, then wait."""
        news = asyncio.Event()
        is_first = channel not in self._waiting
        self._waiting.setdefault(channel, []).append(news)
        if self._serving is None or self._serving.done():
            self._serving = asyncio.create_task(self._serve(), name="taskflow-notices")
        elif is_first:
            self._send(b"SUBSCRIBE", channel)
        try:
            yield news
        finally:
            waiting = self._waiting[channel]
            waiting.remove(news)
            if not waiting:
                del self._waiting[channel]
                self._send(b"UNSUBSCRIBE", channel)

    def _send(self, *command: bytes) -> None:
        """Send soon. Tasks begin in the order in which they are made, so the commands keep their order."""
        if self._connection is None:
            return
        sending = self._try_send(self._connection, *command)
        try:
            task = asyncio.create_task(sending, name="taskflow-notices")
        except RuntimeError:  # the loop is closed, and its connections with it
            sending.close()
            return
        self._sends.add(task)
        task.add_done_callback(self._sends.discard)

    async def _try_send(self, connection: Any, *command: bytes) -> None:
        with contextlib.suppress(*UNREACHABLE):
            await connection.send_packed_command([packed(command)], check_health=False)

    async def _serve(self) -> None:
        while self._waiting:
            connection = None
            try:
                connection = await self._connections.acquire()
                await self._listen(connection)
            except UNREACHABLE:
                for waiting in self._waiting.values():
                    for news in waiting:
                        news.set()
                await asyncio.sleep(_PAUSE_SECONDS)
            finally:
                self._connection = None
                if connection is not None:
                    await connection.disconnect(nowait=True)

    async def _listen(self, connection: Any) -> None:
        self._connection = connection
        await self._try_send(connection, b"SUBSCRIBE", *self._waiting)
        read = connection.read_response
        while self._waiting:
            _, channel, _ = await read(timeout=math.inf)
            for news in self._waiting.get(channel, ()):
                news.set()
