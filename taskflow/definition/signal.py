"""The stop signal of an attempt: set by the node, read by the task and its hooks. It stops nothing by itself."""

import asyncio
import threading
from typing import Final, Self

from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.durations import Duration, parse_duration

CANCELED: Final = "canceled"
TIMED_OUT: Final = "timed out"
INTERRUPTED: Final = "interrupted"
_making: Final = threading.Lock()


class Signal:
    """Set when the run is canceled, has used up its ``max_duration``, or is to go on elsewhere. Thread-safe.

    The function is stopped anyway, a coroutine by ``CancelledError`` and a child by ``SystemExit``. The signal is for
    work that they have started elsewhere, for example in threads.
    """

    __slots__ = ("_event", "_reason", "_waiters")

    def __init__(self) -> None:
        self._event: threading.Event | None = None  # made by the first waiter: few tasks wait, and it takes 2 us
        self._reason: str | None = None
        self._waiters: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}

    def __repr__(self) -> str:
        return f"<Signal {self._reason or 'not set'}>"

    def __deepcopy__(self, memo: object) -> Self:
        return self  # a copy would never be set; ``dataclasses.asdict(ctx)`` makes one

    @property
    def reason(self) -> str | None:
        """The reason of the stop: ``"canceled"``, ``"timed out"`` or ``"interrupted"``; None while there is none."""
        return self._reason

    def is_set(self) -> bool:
        """Whether the attempt is to stop."""
        return self._reason is not None

    def set(self, reason: str) -> None:
        """Set the signal. The first reason stays. Nodes call this; a task's own tests may."""
        if self._reason is not None:
            return
        self._reason = reason  # before the event is looked for: see _made_event
        if self._event is not None:
            self._event.set()
        for waiter, loop in list(self._waiters.items()):
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, waiter)

    def wait(self, timeout: Duration | None = None) -> bool:
        """Wait until the attempt is to stop.

        Args:
            timeout: Longest time to wait. None waits for ever.

        Returns:
            Whether the attempt is to stop.

        Raises:
            BlockingCallError: An event loop runs in this thread; use ``await signal.await_()``.
        """
        refuse_in_event_loop("signal.wait", "signal.await_")
        return self._made_event().wait(_seconds(timeout))

    async def await_(self, timeout: Duration | None = None) -> bool:
        """Wait until the attempt is to stop, without blocking the event loop. See ``wait``."""
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiters[waiter] = loop
        try:
            if not self.is_set():  # checked again: set() may have missed a waiter that came later
                await asyncio.wait([waiter], timeout=_seconds(timeout))
        finally:
            del self._waiters[waiter]
        return self.is_set()

    def _made_event(self) -> threading.Event:
        with _making:
            self._event = self._event or threading.Event()
        if self._reason is not None:  # checked again: set() may have found no event
            self._event.set()
        return self._event


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


def _seconds(timeout: Duration | None) -> float | None:
    return None if timeout is None else parse_duration(timeout, option="timeout").total_seconds()
