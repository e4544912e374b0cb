"""Bodies that are not read to their end when the answer begins.

A client that still sends would take the end of the connection for a failure and not read the answer, so a bounded rest
of the body is read first. A body that goes on behind the bound ends with the connection.
"""

import asyncio
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_MOST_BYTES: Final = 64 * 1024 * 1024


class UnreadBodies:
    """Reads what is left of a body before the answer, and closes the connection when that is too much.

    Args:
        seconds: How long it waits for the rest.
    """

    def __init__(self, app: ASGIApp, *, seconds: float) -> None:
        self._app, self._seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        body = _Body(receive, awaits_leave="expect" in Headers(scope=scope))

        async def ending(message: Message) -> None:
            if message["type"] == "http.response.start" and not body.is_read:
                headers = MutableHeaders(scope=message)
                if "connection" not in headers and not await body.drained(self._seconds):
                    headers["connection"] = "close"
            await send(message)

        await self._app(scope, body.receive, ending)


class _Body:
    """A body, and whether it was read. ``awaits_leave``: the client sends it only when it is asked to."""

    def __init__(self, receive: Receive, *, awaits_leave: bool) -> None:
        self._receive, self._awaits_leave, self.is_read = receive, awaits_leave, False

    async def receive(self) -> Message:
        """Return the next message."""
        message = await self._receive()
        self._awaits_leave = False
        self.is_read = message["type"] == "http.disconnect" or not message.get("more_body", False)
        return message

    async def drained(self, seconds: float) -> bool:
        """Read the rest within a time and a bound. Returns whether the end was reached."""
        left = 0 if self._awaits_leave else _MOST_BYTES
        try:
            async with asyncio.timeout(seconds):
                while not self.is_read and left > 0:
                    left -= len((await self.receive()).get("body", b""))
        except TimeoutError:
            pass
        return self.is_read


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
