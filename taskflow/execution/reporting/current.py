"""The attempt that the calling code belongs to."""

import threading
from contextvars import Context, ContextVar
from typing import Final

from taskflow.errors import OutsideRunError
from taskflow.execution.reporting.live_run import LiveRun

OWN_THREADS: Final = "taskflow-"
"""Prefix of the names of taskflow's own threads, which belong to no run."""
_live: ContextVar[LiveRun | None] = ContextVar("taskflow_live_run", default=None)


class _Process:
    """The attempt that a whole process executes. Threads that the task starts belong to it, too."""

    live: LiveRun | None = None


def live_run_in(context: Context | None) -> LiveRun | None:
    """Return the attempt that a context belongs to, by default the current context. For coroutines of a node."""
    return _live.get() if context is None else context.get(_live)


def live_run_of_process() -> LiveRun | None:
    """Return the attempt that this whole process executes, None between two attempts. From any thread."""
    return _Process.live


def current_live_run() -> LiveRun | None:
    """Return the attempt that the calling code belongs to, None outside of one."""
    live = _live.get()
    if live is None and _Process.live is not None and not threading.current_thread().name.startswith(OWN_THREADS):
        return _Process.live
    return live


def require_live_run(verb: str) -> LiveRun:
    """Return the attempt that the calling code belongs to.

    Raises:
        OutsideRunError: The code belongs to none.
    """
    live = current_live_run()
    if live is None:
        raise OutsideRunError(verb)
    return live


class entered_run:  # noqa: N801 - used like a function; a generator would take three times as long
    """Make the code inside an attempt's; with ``whole_process`` also all threads that have no attempt of their own."""

    __slots__ = ("_live", "_token", "_whole_process")

    def __init__(self, live: LiveRun, *, whole_process: bool = False) -> None:
        self._live, self._whole_process = live, whole_process

    def __enter__(self) -> None:
        self._token = _live.set(self._live)
        if self._whole_process:
            _Process.live = self._live

    def __exit__(self, *_: object) -> None:
        _live.reset(self._token)
        if self._whole_process:
            _Process.live = None
