"""An answer of server-sent events (WHATWG HTML, 9.2), which ends with its source, its client or the server."""

import asyncio
import logging
import re
from collections.abc import AsyncGenerator, Mapping
from contextlib import ExitStack, aclosing, suppress
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from taskflow.server.state import ServerState

PING: Final = b": ping\n\n"
PING_SECONDS: Final = 15.0
_LINE_END: Final = re.compile("\r\n|\r|\n")
_HEADERS: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}


def frame(data: str, *, event: str | None = None, id: str | None = None) -> bytes:
    """Return one event. Data of several lines arrives so, whatever ends them: a reader takes each end for one."""
    lines = [f"event: {event}"] if event is not None else []
    lines += [f"id: {id}"] if id is not None else []
    lines += [f"data: {line}" for line in _LINE_END.split(data)]
    return ("\n".join(lines) + "\n\n").encode()


class EventStream(Response):
    """Sends what a source yields until the source ends, and then ends cleanly.

    When the server stops, the connection is cut instead, so that the client comes back and goes on.
    The source yields a ``PING`` in silence, so that a proxy leaves the connection open.

    Raises:
        Problem: There are too many open streams, or the server stops: 503.
    """

    def __init__(
        self, server: ServerState, source: AsyncGenerator[bytes], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(None, 200, {**_HEADERS, **(headers or {})}, "text/event-stream")
        del self.headers["content-length"]
        self._server, self._source = server, source
        self._open = ExitStack()
        self._open.enter_context(server.stream())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the events."""
        with self._open:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            sending = asyncio.create_task(self._send(send))
            others = [asyncio.create_task(hung_up(receive)), asyncio.create_task(self._server.stopping.wait())]
            try:
                await asyncio.wait((sending, *others), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in (sending, *others):
                    if not task.done():
                        task.cancel()
                        with suppress(asyncio.CancelledError):
                            await task
        if not sending.cancelled():
            sending.result()
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        async with aclosing(self._source) as source:
            async for chunk in source:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})


class CutStreams(logging.Filter):
    """Drops uvicorn's error about an answer that did not end: a server that stops cuts its streams on purpose."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to log a record."""
        return "without completing response" not in record.getMessage()


async def hung_up(receive: Receive) -> None:
    """Return when the client has closed the connection. What it still sends is dropped."""
    while (await receive())["type"] != "http.disconnect":
        pass
