"""A queue in which a main thread waits for events of other threads and for signals, and misses neither."""

import os
import select
import signal
from collections import deque
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from types import FrameType
from typing import Generic, TypeVar

EventT = TypeVar("EventT")


class SignalQueue(Generic[EventT]):
    """Events of threads and signals, in the order of their arrival.

    The ``get`` of ``queue.Queue`` sleeps on a lock. If a signal comes just before that, its Python handler runs only
    when something else wakes the thread. Here every signal writes a byte that ends the wait (``signal.set_wakeup_fd``).
    A process has one, and its pipe is never closed.
    """

    def __init__(self) -> None:
        self._events: deque[EventT | signal.Signals] = deque()
        self._wake_reader, self._wake_writer = os.pipe()
        for end in (self._wake_reader, self._wake_writer):
            os.set_blocking(end, False)

    def put(self, event: EventT) -> None:
        """Add an event, from any thread or signal handler."""
        self._events.append(event)
        with suppress(BlockingIOError):  # a full pipe wakes as well
            os.write(self._wake_writer, b"\0")

    def get(self, timeout: float) -> EventT | signal.Signals | None:
        """Return the next event, or None after ``timeout`` seconds or a wake-up without an event."""
        if not self._events:
            select.select([self._wake_reader], [], [], max(0.0, timeout))
            with suppress(BlockingIOError):
                while os.read(self._wake_reader, 4096):
                    pass
        return self._events.popleft() if self._events else None

    @contextmanager
    def signals(self, numbers: Iterable[signal.Signals]) -> Generator[None]:
        """Make events of these signals, except of an ignored SIGHUP (nohup). On the main thread only."""

        def handle(number: int, _frame: FrameType | None) -> None:
            self._events.append(signal.Signals(number))

        wake_before = signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        before = {number: signal.getsignal(number) for number in numbers}
        for number, handler in before.items():
            if not (number == signal.SIGHUP and handler == signal.SIG_IGN):
                signal.signal(number, handle)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            signal.set_wakeup_fd(wake_before)
