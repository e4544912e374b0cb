"""Which attempt the code that asks belongs to."""

import threading
from contextvars import ContextVar
from typing import Final

from taskflow.errors import OutsideRunError
from taskflow.execution.reporting.live_run import LiveRun

OWN_THREADS: Final = "taskflow-"
"""What the names of taskflow's own threads begin with: they belong to no run."""
_live: ContextVar[LiveRun | None] = ContextVar("taskflow_live_run", default=None)


class _Process:
    """The attempt that a whole process executes, so that threads which the task starts belong to it too."""

    live: LiveRun | None = None


def current_live_run() -> LiveRun | None:
    """Return the attempt that this code is part of, None outside of one."""
    found = _live.get()
    if found is None and _Process.live is not None and not threading.current_thread().name.startswith(OWN_THREADS):
        return _Process.live
    return found


def require_live_run(verb: str) -> LiveRun:
    """Return the attempt that this code is part of.

    Raises:
        OutsideRunError: There is none.
    """
    live = current_live_run()
    if live is None:
        raise OutsideRunError(verb)
    return live


class entered_run:  # noqa: N801 - used like a function; a generator would take three times as long
    """Let the code inside be an attempt's, and with ``whole_process`` all threads' that have none of their own."""

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
