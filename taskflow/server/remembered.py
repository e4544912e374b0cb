"""An answer that is remembered for a moment, so that many who ask cost what one costs."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Remembered(Generic[T]):
    """A value that is made at most once in so many seconds. Those who ask while it is made wait for the same value."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._made: asyncio.Task[T] | None = None
        self._until = 0.0

    async def get(self, make: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Return the value, made now if the last one is too old."""
        if self._made is None or (self._made.done() and time.monotonic() >= self._until):
            self._made = asyncio.create_task(make())
            self._made.add_done_callback(self._remember)
        return await asyncio.shield(self._made)  # the caller may hang up, and others wait

    def _remember(self, _: "asyncio.Task[T]") -> None:
        self._until = time.monotonic() + self._seconds
