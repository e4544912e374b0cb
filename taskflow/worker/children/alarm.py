"""Stop the code of a child when its run has used up its ``max_duration``."""

import os
import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from datetime import timedelta
from types import FrameType
from typing import Final

from taskflow.definition.signal import TIMED_OUT, Signal

_CODE: Final = -(256 - signal.SIGALRM)
"""Exit code by which billiard names the signal that made a child leave; code that the alarm ends exits with it."""


class Timer:
    """The time that an attempt has left. It stands still while the run waits."""

    def __init__(self, left: float = 0.0) -> None:
        self._left = left

    def start(self) -> None:
        """Let the time run from now on."""
        if self._left > 0:
            signal.setitimer(signal.ITIMER_REAL, self._left)

    def stop(self) -> None:
        """Let the time stand still."""
        if self._left > 0:
            self._left = max(0.001, signal.setitimer(signal.ITIMER_REAL, 0)[0])

    def disarm(self) -> None:
        """Stop for good, so that an attempt whose outcome is decided is not stopped in its hooks."""
        if self._left > 0:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self._left = 0.0


@contextmanager
def alarm(run_signal: Signal, duration: timedelta | None) -> Generator[Timer]:
    """Set the signal and raise SystemExit in the code inside once the duration has passed. On the main thread."""
    if duration is None or threading.current_thread() is not threading.main_thread():
        yield Timer()
        return
    owner = os.getpid()

    def ring(_number: int, _frame: FrameType | None) -> None:
        if os.getpid() == owner:  # not in a process that the task has forked
            run_signal.set(TIMED_OUT)
            raise SystemExit(_CODE)

    before = signal.signal(signal.SIGALRM, ring)
    timer = Timer(max(0.001, duration.total_seconds()))
    timer.start()
    try:
        yield timer
    finally:
        timer.disarm()
        signal.signal(signal.SIGALRM, before)
