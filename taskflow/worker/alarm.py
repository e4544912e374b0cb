"""Stop the code of a child when its run has used up its ``max_duration``."""

import os
import signal
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType

from taskflow.definition.signal import TIMED_OUT, Signal

_CODE = -(256 - signal.SIGALRM)
"""How billiard says which signal made a child leave; what is told to leave takes it from there."""


@contextmanager
def alarm(told: Signal, duration: timedelta | None) -> Generator[Callable[[], None]]:
    """Raise SystemExit in the code inside once the duration is over, with the signal set. On the main thread.

    Yields what disarms it: an attempt whose outcome is known is not stopped in its hooks.
    """
    if duration is None or threading.current_thread() is not threading.main_thread():
        yield _nothing
        return
    owner = os.getpid()

    def ring(_number: int, _frame: FrameType | None) -> None:
        if os.getpid() == owner:  # not a process that the task has forked
            told.set(TIMED_OUT)
            raise SystemExit(_CODE)

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, max(0.001, duration.total_seconds()))
    try:
        yield _disarm
    finally:
        _disarm()
        signal.signal(signal.SIGALRM, before)


def _disarm() -> None:
    signal.setitimer(signal.ITIMER_REAL, 0)


def _nothing() -> None:
    """Nothing was armed."""
