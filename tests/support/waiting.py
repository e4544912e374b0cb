"""Waiting for conditions, so that no test sleeps."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


def wait_until(predicate: Callable[[], T], what: str, timeout: float = 10, interval: float = 0.02) -> T:
    """Return the first true value of ``predicate``.

    Raises:
        AssertionError: The predicate was still false after ``timeout`` seconds. The message names the condition.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s for {what}; last seen: {value!r}")
        time.sleep(interval)


async def await_until(
    predicate: Callable[[], Awaitable[T]], what: str, timeout: float = 10, interval: float = 0.02
) -> T:
    """Await ``predicate`` until it gives a true value, and return that, without blocking the event loop.

    Raises:
        AssertionError: The predicate was still false after ``timeout`` seconds. The message names the condition.
    """
    deadline = time.monotonic() + timeout
    while True:
        value = await predicate()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout:g} s for {what}; last seen: {value!r}")
        await asyncio.sleep(interval)


@contextmanager
def beside(act: Callable[[], None], pause: float) -> Generator[None]:
    """Repeat a call in a thread while the block executes, with pauses of so many seconds."""
    is_over = threading.Event()

    def repeat() -> None:
        while not is_over.wait(pause):
            act()

    thread = threading.Thread(target=repeat)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
