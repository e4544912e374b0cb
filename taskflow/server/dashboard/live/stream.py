"""The stream of a page's live updates: the messages of its topics, one after the other, as server-sent events."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing, suppress
from typing import Final

from starlette.responses import Response

from taskflow.errors import TaskflowError
from taskflow.server.dashboard.live.topic import CHANGED, END, Follower, Message, Topic
from taskflow.server.dashboard.visit import Visit
from taskflow.server.problems import Problem
from taskflow.server.realtime.event_stream import PING, EventStream

log = logging.getLogger("taskflow.server")
_MOST_TOPICS: Final = 8
MOST_OF_USER: Final = 200
"""Open streams of one user: each may have readers of its own, and a server has places for 1,000 in all."""
_CHECK_SECONDS: Final = 10.0
"""Within this time a stream ends after its session has ended: by signing out, another password, or no user."""
_MOST_MESSAGES: Final = 8
"""Messages that wait for a slow reader; beyond them it gets one ``changed``."""
_BEGIN: Final = b"retry: 2000\nid: 1\n\n"
"""The id comes back with a reconnection, so that a page which missed changes loads its parts again."""


class LiveStreams:
    """Answers ``live?t=nav&t=runs:status=FAILED``. Unknown topics are ignored."""

    def __init__(self, topics: Sequence[Topic]) -> None:
        self._topics: Mapping[str, Topic] = {topic.name: topic for topic in topics}
        self._open: Counter[tuple[str, str]] = Counter()

    async def open(self, visit: Visit) -> Response:
        """Open a stream of the named topics."""
        wanted: list[tuple[Topic, Follower]] = []
        for text in visit.query.getlist("t")[:_MOST_TOPICS]:
            name, _, argument = text.partition(":")
            if name in self._topics:
                wanted.append((self._topics[name], Follower(visit.engine, argument)))
        user = (visit.flow.settings.environment, visit.user.name)
        if self._open[user] >= MOST_OF_USER:
            return Response("You have too many pages open.", 503, {"retry-after": "5"}, "text/plain")
        server = visit.request.app.state.server
        try:
            is_again = "last-event-id" in visit.request.headers
            source = _joined(wanted, visit.is_signed_in, is_again=is_again)
            return EventStream(server, self._counted(user, source))
        except Problem as full:  # too many streams, or the server stops
            return Response(full.error, full.status, full.headers, "text/plain")

    async def _counted(self, user: tuple[str, str], source: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
        """Yield what a source yields, and count it as one of the user's streams."""
        self._open[user] += 1
        try:
            async with aclosing(source) as frames:
                async for each in frames:
                    yield each
        finally:
            self._open[user] -= 1
            if not self._open[user]:
                del self._open[user]


async def _joined(
    wanted: Sequence[tuple[Topic, Follower]], is_open: Callable[[], Awaitable[bool]], *, is_again: bool
) -> AsyncGenerator[bytes]:
    """Yield the frames of several topics, and a comment in silence, until the session has ended.

    Args:
        is_open: Whether the session of the page is open.
        is_again: The page has had a stream before, and may have missed something since.
    """
    messages: asyncio.Queue[Message] = asyncio.Queue(_MOST_MESSAGES)
    followers = [asyncio.create_task(_follow(topic, follower, messages)) for topic, follower in wanted]
    try:
        yield _BEGIN
        if is_again:
            yield CHANGED.frame()
        checked = time.monotonic()
        while True:
            message = None
            with suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_SECONDS):
                    message = await messages.get()
            if time.monotonic() - checked >= _CHECK_SECONDS:
                if not await _is_open(is_open):
                    return
                checked = time.monotonic()
            if message is None:
                yield PING
                continue
            yield message.frame()
            if message is END:
                return
    finally:
        for follower in followers:
            follower.cancel()
        await asyncio.gather(*followers, return_exceptions=True)


async def _is_open(check: Callable[[], Awaitable[bool]]) -> bool:
    """Whether a session is open. It is while the store does not answer, which pages say."""
    try:
        return await check()
    except TaskflowError:
        return True


async def _follow(topic: Topic, follower: Follower, messages: asyncio.Queue[Message]) -> None:
    try:
        async with aclosing(topic.follow(follower)) as source:
            async for message in source:
                if messages.full():  # the reader is slow
                    while not messages.empty():
                        messages.get_nowait()
                    messages.put_nowait(CHANGED)
                messages.put_nowait(message)
    except TaskflowError as error:
        log.warning("live.ended: %s: %s", topic.name, error)
    except Exception:
        log.exception("live.failed: %s", topic.name)
