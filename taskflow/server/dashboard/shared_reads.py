"""Reads that all open pages of a process share: the store is asked once in a while, however many pages are open."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from taskflow.engine.engine import Engine

T = TypeVar("T")
_MOST: Final = 200
"""Reads that are kept. Names come from addresses, so that there is no end to them."""


@dataclass(slots=True)
class _Kept:
    """The last read under a name, which may be under way."""

    at: float
    reading: "asyncio.Task[Any]"


@dataclass(slots=True)
class _Reads:
    loop: asyncio.AbstractEventLoop
    kept: dict[str, _Kept] = field(default_factory=dict[str, _Kept])


_READS: Final[WeakKeyDictionary[Engine, _Reads]] = WeakKeyDictionary()


async def shared(engine: Engine, name: str, max_age: float, read: Callable[[], Awaitable[T]]) -> T:
    """Return what was read under a name at most ``max_age`` seconds ago, or read it. A failed read is not kept.

    Args:
        name: The same for all pages that show the same.
        max_age: Seconds.
    """
    loop, reads = asyncio.get_running_loop(), _READS.get(engine)
    if reads is None or reads.loop is not loop:
        reads = _READS[engine] = _Reads(loop)
    kept = reads.kept.get(name)
    if kept is None or time.monotonic() - kept.at > max_age or _has_failed(kept.reading):
        reads.kept.pop(name, None)
        while len(reads.kept) >= _MOST:
            del reads.kept[next(iter(reads.kept))]
        kept = reads.kept[name] = _Kept(time.monotonic(), loop.create_task(_awaited(read)))
    result: T = await asyncio.shield(kept.reading)
    return result


def forget_reads(engine: Engine) -> None:
    """Read anew from now on, because an action has changed something that its page must show."""
    _READS.pop(engine, None)


def _has_failed(reading: "asyncio.Task[Any]") -> bool:
    return reading.done() and (reading.cancelled() or reading.exception() is not None)


async def _awaited(read: Callable[[], Awaitable[T]]) -> T:
    return await read()
