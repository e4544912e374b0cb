"""The present instant and short pauses, as runs and their node see them. Only tests replace them (``Clock``)."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """The time of a process."""

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Pause the calling thread."""
        ...

    async def asleep(self, seconds: float) -> None:
        """Pause the calling coroutine."""
        ...


class _Own:
    """The clock of the machine."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class _Process:
    """The clock that this process uses."""

    clock: Clock = _Own()


def now() -> datetime:
    """Return the present instant, in UTC."""
    return _Process.clock.now()


def sleep(seconds: float) -> None:
    """Pause the calling thread."""
    _Process.clock.sleep(seconds)


async def asleep(seconds: float) -> None:
    """Pause the calling coroutine."""
    await _Process.clock.asleep(seconds)


def use(clock: Clock | None) -> Clock:
    """Have this process use another clock, None for its own. Returns the one before."""
    before, _Process.clock = _Process.clock, clock or _Own()
    return before
