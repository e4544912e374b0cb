"""Answers that go on: server-sent events of a source, comments while it is silent, and an end when the server stops."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any, Final, NamedTuple

from starlette.responses import Response, StreamingResponse

from taskflow.errors import TaskflowError
from taskflow.server.call import Call
from taskflow.server.problems import told_problem
from taskflow.server.state import ServerState

_PING_SECONDS: Final = 15.0
_HELD_EVENTS: Final = 100
_HEADERS: Final = {"cache-control": "no-cache", "x-accel-buffering": "no"}


class SourceEvent(NamedTuple):
    """One event: its kind and its data, JSON on one line."""

    kind: str
    data: bytes = b"{}"


END: Final = SourceEvent("end")
"""The last event of a source that has no more, so that the client does not connect again."""


async def answer_events(call: Call, source: AsyncGenerator[SourceEvent]) -> Response:
    """Answer with the events of a source. What it raises before its first event is the answer.

    Raises:
        Problem: There are as many open streams as there may be.
    """
    lines = _lines(call.server, _told(source, call))
    first = await anext(lines, b"")
    return StreamingResponse(_rest(first, lines), media_type="text/event-stream", headers=_HEADERS)


async def _rest(first: bytes, lines: AsyncGenerator[bytes]) -> AsyncIterator[bytes]:
    async with aclosing(lines):
        yield first
        async for line in lines:
            yield line


async def _told(source: AsyncGenerator[SourceEvent], call: Call) -> AsyncGenerator[SourceEvent]:
    """Yield the events. An error behind the first one is the last event."""
    has_begun = False
    async with aclosing(source):
        try:
            async for event in source:
                has_begun = True
                yield event
        except TaskflowError as error:
            if not has_begun:
                raise
            yield SourceEvent("error", told_problem(error, call.request.headers).body().encode())


async def _lines(server: ServerState, source: AsyncGenerator[SourceEvent]) -> AsyncGenerator[bytes]:
    with server.stream():
        queue: asyncio.Queue[SourceEvent | Exception | None] = asyncio.Queue(_HELD_EVENTS)
        reader = asyncio.create_task(_read(source, queue), name="taskflow-events")
        stopping = asyncio.create_task(server.stopping.wait())
        following: asyncio.Future[SourceEvent | Exception | None] | None = None
        try:
            while True:
                following = asyncio.ensure_future(queue.get())
                while not await _any(following, stopping):
                    yield b": ping\n\n"
                if not following.done():
                    return
                event = following.result()
                if event is None:
                    return
                if isinstance(event, Exception):
                    raise event
                yield b"event: %b\ndata: %b\n\n" % (event.kind.encode(), event.data)
        finally:
            if following is not None:
                following.cancel()  # the lines may be closed at a comment, while it waits
            stopping.cancel()
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)


async def _any(*awaited: asyncio.Future[Any]) -> bool:
    """Return whether one of these is done within the time between two comments."""
    done, _ = await asyncio.wait(awaited, timeout=_PING_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    return bool(done)


async def _read(source: AsyncGenerator[SourceEvent], queue: "asyncio.Queue[SourceEvent | Exception | None]") -> None:
    """Read a source in one task, so that its own contexts are entered and left there."""
    try:
        async with aclosing(source):
            async for event in source:
                await queue.put(event)
        await queue.put(None)
    except Exception as error:  # noqa: BLE001 - it is raised where the lines are read
        await queue.put(error)
