"""A clock that tests move: the machine's, and an offset that all processes of a test read from one mapped file."""

import asyncio
import fcntl
import mmap
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

_SIZE: Final = 8
_MILLISECOND: Final = timedelta(milliseconds=1)
CLOCK_VARIABLE: Final = "TESTS_OF_TASKFLOW_CLOCK"
"""The environment variable that names the file to the workers of tests."""


class MovedClock:
    """The clock of a test.

    Args:
        path: The file with the offset, in microseconds. Made when missing.
        skips: Whether short pauses of runs move the clock instead of taking time.
    """

    def __init__(self, path: Path, *, skips: bool) -> None:
        self.path, self._skips = path, skips
        self._file = path.open("a+b")
        if path.stat().st_size < _SIZE:
            self._file.truncate(_SIZE)
        self._lock = threading.Lock()
        self._offset = mmap.mmap(self._file.fileno(), _SIZE)

    @property
    def offset(self) -> timedelta:
        """The time by which the clock is ahead."""
        return timedelta(microseconds=self._micros())

    def now(self) -> datetime:
        """Return the present instant, in UTC."""
        return datetime.now(UTC) + self.offset

    def micros(self) -> int:
        """Return the present instant in microseconds since 1970, as the store takes it."""
        return time.time_ns() // 1000 + self._micros()

    def move(self, duration: timedelta) -> timedelta:
        """Let time pass, for all processes that use this file.

        Returns:
            How much has passed: whole milliseconds, a started one included. The ends of a store's keys have no smaller
            part, and would lag behind the clock.
        """
        passed = -(-duration // _MILLISECOND) * _MILLISECOND
        with self._lock:  # the file's keeps other processes out, and no other thread of this one
            fcntl.lockf(self._file, fcntl.LOCK_EX)
            try:
                self._write(self._micros() + passed // timedelta(microseconds=1))
            finally:
                fcntl.lockf(self._file, fcntl.LOCK_UN)
        return passed

    def reset(self) -> None:
        """Return to the machine's time."""
        self._write(0)

    def sleep(self, seconds: float) -> None:
        """Pause the calling thread, or move the clock."""
        if self._skips:
            self.move(timedelta(seconds=seconds))
        else:
            time.sleep(seconds)

    async def asleep(self, seconds: float) -> None:
        """Pause the calling coroutine, or move the clock."""
        await asyncio.sleep(0 if self._skips else seconds)
        if self._skips:
            self.move(timedelta(seconds=seconds))

    def close(self) -> None:
        """Close the file."""
        self._offset.close()
        self._file.close()

    def _micros(self) -> int:
        return int.from_bytes(self._offset[:_SIZE], "little")

    def _write(self, micros: int) -> None:
        self._offset[:_SIZE] = micros.to_bytes(_SIZE, "little")
