"""A TCP proxy between workers and a server, which can be told to delay, to stand still, to lose replies and to drop."""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Coroutine
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from tests.servers import HOST

CHUNK = 1 << 16
POLL_SECONDS = 0.02


class Proxy:
    """Listens on a port of its own for as long as it is open; its connections live in one thread.

    Attributes:
        delay: Seconds that every piece waits, in both directions.
        is_stalled: Nothing passes until it is False again: connections stay open.
        loses_replies: What the server answers vanishes with its connection: the command was executed.
        refuses: New connections are closed at once.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay = 0.0
        self.is_stalled = False
        self.loses_replies = False
        self.refuses = False
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name=f"proxy-{target}", daemon=True)
        self._thread.start()

    def drop(self) -> None:
        """Close every connection, at once and without a word."""
        self._call(self._drop())

    def heal(self) -> None:
        """Let everything pass at once again."""
        self.delay, self.is_stalled, self.loses_replies, self.refuses = 0.0, False, False, False

    def close(self) -> None:
        """Stop listening and close every connection."""
        self._call(self._drop())
        self._call(self._stop())
        self._thread.join(5)

    def _call(self, coroutine: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(5)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._server = self._loop.run_until_complete(asyncio.start_server(self._accepted, sock=self._listener))
        self._loop.run_forever()
        left = asyncio.all_tasks(self._loop)
        for task in left:
            task.cancel()
        self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        self._loop.run_until_complete(self._drop())
        self._loop.run_until_complete(asyncio.sleep(POLL_SECONDS))  # what was aborted is closed in the loop's next turn
        self._loop.close()

    async def _stop(self) -> None:
        self._server.close()
        self._loop.call_soon(self._loop.stop)

    async def _drop(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Know a connection from its first moment: its task may be canceled before it begins."""
        if self.refuses:
            writer.transport.abort()
            return
        self._writers.add(writer)
        task = self._loop.create_task(self._accept(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ends = [writer]
        try:
            from_server, to_server = await asyncio.open_connection(HOST, self.target)
            ends.append(to_server)
            self._writers.add(to_server)
            requests = asyncio.create_task(self._pass(reader, to_server, is_reply=False))
            replies = asyncio.create_task(self._pass(from_server, writer, is_reply=True))
            await asyncio.wait([requests, replies], return_when=asyncio.FIRST_COMPLETED)
            for task in (requests, replies):
                task.cancel()
        except OSError:
            pass  # the server is away: so is the connection
        finally:
            for end in ends:
                self._writers.discard(end)
                end.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_reply: bool) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(CHUNK):
                if self.delay:
                    await asyncio.sleep(self.delay)
                while self.is_stalled:
                    await asyncio.sleep(POLL_SECONDS)
                if is_reply and self.loses_replies:
                    return
                writer.write(piece)
                await writer.drain()


def through(proxy: Proxy, url: str) -> str:
    """Return a server's URL with the proxy's address instead of its own."""
    parts = urlsplit(url)
    user = f"{parts.username}:{parts.password}@" if parts.username else ""
    return urlunsplit(parts._replace(netloc=f"{user}{HOST}:{proxy.port}"))
