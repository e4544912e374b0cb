"""Forks that tasks make of a process that executes runs. Only the process that the node has started speaks for a run.

A fork may compute, log, trigger runs and change metadata. When it leaves the code of the task, by whatever way, it ends
at once: it writes no outcome and takes no other run. It can't wait for its run.
"""

import contextlib
import os
import sys
import traceback

from taskflow.execution.reporting.current import current_live_run, live_run_of_process
from taskflow.seams.waits import forbid_waits


class _Process:
    """This process. ``owner`` is the number of the process that executes runs: this one, or the one it is a fork of."""

    owner = 0
    is_fork = False


def execute_runs_here() -> None:
    """Note that this process executes runs, so that its forks are forks of a task."""
    _Process.owner, _Process.is_fork = os.getpid(), False


def is_fork() -> bool:
    """Whether this process is the fork of one that executes runs."""
    return _Process.is_fork


def leave_if_fork(error: BaseException | None = None) -> None:
    """End this process if it is a fork, because it has left the code of the task. As a program that ended so.

    Args:
        error: What the code has raised.
    """
    if _Process.is_fork:
        try:
            code = _exit_code(error)
            if (live := live_run_of_process()) is not None:
                live.finish_text()
        except BaseException:  # noqa: BLE001 - whatever happens, it ends here
            code = 1
        os._exit(code)


def _exit_code(error: BaseException | None) -> int:
    code = error.code if isinstance(error, SystemExit) else 0
    if error is not None and not isinstance(error, SystemExit):
        traceback.print_exception(error)
        return 1
    if code is None or isinstance(code, int):
        return (code or 0) & 0xFF
    with contextlib.suppress(OSError):
        print(code, file=sys.stderr)
    return 1


def _note_fork() -> None:
    if _Process.owner and not _Process.is_fork:
        _Process.is_fork = True
        forbid_waits()
    live = (current_live_run() or live_run_of_process()) if _Process.is_fork else None
    if live is not None:
        live.become_fork()


os.register_at_fork(after_in_child=_note_fork)
