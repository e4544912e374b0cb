"""Puts back what a job has changed of its child process, so that the next job finds the process as it was.

Only what differs is written, because a comparison of everything takes a few microseconds.
"""

import functools
import os
import signal
import socket
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from fcntl import F_DUPFD_CLOEXEC, fcntl
from importlib import import_module
from typing import Any, Final, cast

from taskflow.worker.child.logging_state import LoggingState

_SIGNALS: Final = tuple(
    int(getattr(signal, f"SIG{name}"))
    for name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM", "CHLD", "PIPE")
)
_LOWEST: Final = 64
"""The lowest descriptor of what the child itself uses. Tasks close and replace low ones."""
_native: Final[Any] = import_module("_signal")  # the module signal makes an enum of each answer: ten times the time
_get_handler: Final[Callable[[int], Any]] = _native.getsignal
_change_mask: Final[Callable[[int, Any], set[int]]] = _native.pthread_sigmask
_environment: Final[Mapping[bytes, bytes]] = vars(os.environ)["_data"]
_warnings: Any = warnings
_more: Final[list[Callable[[], None]]] = []


class ProcessState:
    """The state of this process when it is made.

    It is: signal handlers and mask, timer, environment, working folder, umask, arguments, default timeout of sockets,
    filters of warnings, and logging.
    """

    def __init__(self) -> None:
        self._handlers = list(map(_get_handler, _SIGNALS))
        self._mask = _change_mask(signal.SIG_BLOCK, ())
        self._environment = dict(_environment)
        self._path, self._folder = os.getcwd(), _open_folder()
        self._umask = os.umask(0)
        os.umask(self._umask)
        self._argv, self._arguments = sys.argv, list(sys.argv)
        self._timeout = socket.getdefaulttimeout()
        self._filters, self._show = list(warnings.filters), _warnings.showwarning
        self._logging = LoggingState()

    def restore(self) -> None:
        """Put back what differs."""
        if _native.getitimer(signal.ITIMER_REAL)[0]:
            signal.setitimer(signal.ITIMER_REAL, 0)
        if list(map(_get_handler, _SIGNALS)) != self._handlers:
            self._restore_handlers()
        if _change_mask(signal.SIG_BLOCK, ()) != self._mask:
            _change_mask(signal.SIG_SETMASK, self._mask)
        if _environment != self._environment:
            self._restore_environment()
        self._restore_folder()
        os.umask(self._umask)
        if sys.argv is not self._argv or sys.argv != self._arguments:
            sys.argv = self._argv
            sys.argv[:] = self._arguments
        if socket.getdefaulttimeout() != self._timeout:
            socket.setdefaulttimeout(self._timeout)
        if warnings.filters != self._filters or _warnings.showwarning is not self._show:
            cast("list[Any]", warnings.filters)[:] = self._filters
            _warnings._filters_mutated()
            _warnings.showwarning = self._show
        if self._logging.has_changed:
            self._logging.restore()
        for restore in _more:
            restore()

    def _restore_handlers(self) -> None:
        for number, handler in zip(_SIGNALS, self._handlers, strict=True):
            if handler is not None and _get_handler(number) is not handler:  # None: made by a library in C
                signal.signal(number, handler)

    def _restore_folder(self) -> None:
        try:
            os.fchdir(self._folder)  # it takes half the time of a look
        except OSError:  # a job has closed what is not its own
            os.chdir(self._path)
            self._folder = _open_folder()

    def _restore_environment(self) -> None:
        zone = _environment.get(b"TZ")
        for name in _environment.keys() - self._environment.keys():
            del os.environb[name]
        for name, value in self._environment.items():
            if _environment.get(name) != value:
                os.environb[name] = value
        if _environment.get(b"TZ") != zone:
            time.tzset()


def restore_also(restore: Callable[[], None]) -> None:
    """Have something else put back after each job of this process."""
    _more.append(restore)


@functools.cache
def process_state() -> ProcessState:
    """Return the state of this process as it was before its first job."""
    return ProcessState()


def _open_folder() -> int:
    number = os.open(".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        return fcntl(number, F_DUPFD_CLOEXEC, _LOWEST)
    finally:
        os.close(number)
