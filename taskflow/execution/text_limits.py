"""The bounds of time and memory within which code of the user's makes a text, for example the message of an error.

On the main thread of a child an alarm ends it. An asyncio node's loop is not on its main thread, so there another
thread makes the text, and is left when its time is up.
"""

import contextvars
import ctypes
import resource
import signal
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Final

_MEMORY_BYTES: Final = 256 * 1024 * 1024
_STATM: Final = Path("/proc/self/statm")
_LOCK: Final = threading.Lock()
_limited: list[tuple[int, int]] = []
"""The limits of the process's memory before each text that is being made now."""


class TextTooSlow(BaseException):
    """Making a text took longer than it may."""


def within_limits(make: Callable[[], str], seconds: float) -> str:
    """Return a text that code of the user's makes.

    Raises:
        TextTooSlow: The time is up.
        MemoryError: It needed much memory.
        BaseException: Whatever the code raises.
    """
    if seconds <= 0:
        raise TextTooSlow
    with _limited_memory():
        if threading.current_thread() is threading.main_thread():
            return _by_alarm(make, seconds)
        return _in_thread(make, seconds)


def _by_alarm(make: Callable[[], str], seconds: float) -> str:
    is_making = True

    def ring(_number: int, _frame: FrameType | None) -> None:
        if is_making:
            raise TextTooSlow

    left, interval = signal.getitimer(signal.ITIMER_REAL)
    if 0 < left <= seconds:  # the attempt's own alarm comes first
        return make()
    before, began = signal.signal(signal.SIGALRM, ring), time.monotonic()
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        return make()
    finally:
        is_making = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if left > 0:
            signal.setitimer(signal.ITIMER_REAL, max(0.001, left - (time.monotonic() - began)), interval)


def _in_thread(make: Callable[[], str], seconds: float) -> str:
    made: list[str] = []
    raised: list[BaseException] = []

    def read() -> None:
        try:
            made.append(make())
        except BaseException as error:  # noqa: BLE001 - raised in the calling thread
            raised.append(error)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(read,), name="taskflow-text", daemon=True)
    thread.start()
    thread.join(seconds)
    if made:
        return made[0]
    if raised:
        raise raised[0]
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident or 0), ctypes.py_object(TextTooSlow))
    raise TextTooSlow


@contextmanager
def _limited_memory() -> Generator[None]:
    """Let the process grow by 256 MB at most: then Python raises MemoryError, and the system kills nobody."""
    if not _STATM.exists():
        yield
        return
    with _LOCK:
        before = resource.getrlimit(resource.RLIMIT_AS)
        _limited.append(before if not _limited else _limited[0])
        if len(_limited) == 1:
            size = int(_STATM.read_text().split()[0]) * resource.getpagesize() + _MEMORY_BYTES
            soft = size if before[0] == resource.RLIM_INFINITY else min(size, before[0])
            with suppress(ValueError, OSError):
                resource.setrlimit(resource.RLIMIT_AS, (soft, before[1]))
    try:
        yield
    finally:
        with _LOCK:
            before = _limited.pop()
            if not _limited:
                with suppress(ValueError, OSError):
                    resource.setrlimit(resource.RLIMIT_AS, before)
