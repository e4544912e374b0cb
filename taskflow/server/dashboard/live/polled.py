"""Topics that are polled: one reader in a process, whatever the number of followers, and only while there are some."""

import asyncio
import hashlib
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import timedelta
from typing import Generic, TypeVar
from weakref import WeakKeyDictionary

from pydantic_core import to_json
from starlette.datastructures import QueryParams

from taskflow.engine.engine import Engine
from taskflow.errors import TaskflowError
from taskflow.server.dashboard.live.topic import CHANGED, Follower, Message, Messages, Topic

log = logging.getLogger("taskflow.server")
ValueT = TypeVar("ValueT")


def polled(
    name: str,
    every: timedelta,
    read: Callable[[Engine], Awaitable[ValueT]],
    render: Callable[[ValueT], str] | None = None,
) -> Topic:
    """Return a topic whose followers get a message when what is read differs from the time before.

    Args:
        read: Reads what the page shows, from the engine. Its JSON is compared.
        render: Returns ``<hx-partial>`` elements of it. Without it the message is the event ``changed``, at which the
            page's parts load again.
    """
    readers = _Readers(name, every, lambda engine, _: read(engine))

    async def follow(follower: Follower) -> Messages:
        async with aclosing(readers.follow(follower.engine, "")) as values:
            async for is_first, value in values:
                if render is not None:
                    yield Message(render(value))
                elif not is_first:
                    yield CHANGED

    return Topic(name, follow)


def polled_by_query(name: str, every: timedelta, read: Callable[[Engine, QueryParams], Awaitable[object]]) -> Topic:
    """Return a topic of lists that differ by their query: ``tokens:status=WAITING``. One reader for each query.

    Args:
        read: Reads what the page with this query shows. Its JSON is compared; the message is the event ``changed``.
    """
    readers = _Readers(name, every, lambda engine, argument: read(engine, QueryParams(argument)))

    async def follow(follower: Follower) -> Messages:
        async with aclosing(readers.follow(follower.engine, follower.argument)) as values:
            async for is_first, _ in values:
                if not is_first:
                    yield CHANGED

    return Topic(name, follow)


class _Readers(Generic[ValueT]):
    """The readers of a topic that have followers, by engine and argument."""

    def __init__(self, name: str, every: timedelta, read: Callable[[Engine, str], Awaitable[ValueT]]) -> None:
        self._name, self._every, self._read = name, every, read
        self._readers: WeakKeyDictionary[Engine, dict[str, _Reader[ValueT]]] = WeakKeyDictionary()

    async def follow(self, engine: Engine, argument: str) -> AsyncGenerator[tuple[bool, ValueT]]:
        """Yield each new value, and whether it is the first one that this follower gets."""
        readers = self._readers.setdefault(engine, {})
        reader = readers.get(argument)
        if reader is None or not reader.is_of_this_loop:
            reader = readers[argument] = _Reader(self._name, self._every, lambda each: self._read(each, argument))
        try:
            async with aclosing(reader.follow(engine)) as values:
                async for each in values:
                    yield each
        finally:
            if not reader.has_followers and readers.get(argument) is reader:
                del readers[argument]


class _Reader(Generic[ValueT]):
    """Reads while it has followers."""

    def __init__(self, name: str, every: timedelta, read: Callable[[Engine], Awaitable[ValueT]]) -> None:
        self._name, self._seconds, self._read = name, every.total_seconds(), read
        self._loop = asyncio.get_running_loop()
        self._newest: list[ValueT] = []
        self._digest = b""
        self._revision = 0
        self._followers: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def is_of_this_loop(self) -> bool:
        """Whether it reads in the running event loop."""
        return self._loop is asyncio.get_running_loop()

    @property
    def has_followers(self) -> bool:
        """Whether somebody follows it: without followers it reads nothing."""
        return bool(self._followers)

    async def follow(self, engine: Engine) -> AsyncGenerator[tuple[bool, ValueT]]:
        """Yield each new value, and whether it is the first one that this follower gets."""
        news, seen = asyncio.Event(), 0
        self._followers.add(news)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._go_on(engine), name=f"taskflow-live-{self._name}")
        elif self._newest:
            news.set()
        try:
            while True:
                await news.wait()
                news.clear()
                if self._revision != seen and self._newest:
                    is_first, seen = seen == 0, self._revision
                    yield is_first, self._newest[0]
        finally:
            self._followers.discard(news)
            if not self._followers:
                self._task.cancel()

    async def _go_on(self, engine: Engine) -> None:
        while True:
            try:
                value = await self._read(engine)
            except TaskflowError as error:
                log.warning("live.unread: %s: %s", self._name, error)
            else:
                digest = hashlib.sha256(to_json(value, fallback=str)).digest()
                if digest != self._digest:
                    self._newest, self._digest = [value], digest
                    self._revision += 1
                    for news in self._followers:
                        news.set()
            await asyncio.sleep(self._seconds)
