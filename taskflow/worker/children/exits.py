"""The end of a pool child, and signals to what the child leaves behind. Plain system calls."""

import contextlib
import ctypes
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any, Final, Self, cast

import psutil
from billiard.pool import EX_RECYCLE

_libc: ctypes.CDLL | None = ctypes.CDLL(None) if sys.platform == "linux" else None

REPLACED: Final = "replaced after its share of runs or memory"
"""The reason of a child that has left by itself: ``--max-tasks-per-child``, ``--max-memory-per-child``."""


@dataclass(frozen=True, slots=True)
class ChildExit:
    """A pool child that has ended.

    Attributes:
        exitcode: Its exit code, None when a signal ended it.
        signal: The signal that ended it, None when it exited.
        reason: The reason given to ``kill_child``, or ``REPLACED``; "" when it ended unexpectedly.
        run_ids: The Celery requests that it had accepted and not finished, by all its messages. At most one.
    """

    pid: int
    exitcode: int | None
    signal: int | None
    reason: str
    run_ids: tuple[str, ...]

    @classmethod
    def of(cls, pid: int, status: int, reason: str, run_ids: tuple[str, ...]) -> Self:
        """Describe the end of a child by its exit status, negative for a signal."""
        reason = reason or (REPLACED if status == EX_RECYCLE else "")
        return cls(pid, None if status < 0 else status, -status if status < 0 else None, reason, run_ids)

    def __str__(self) -> str:
        how = f"exited with {self.exitcode}" if self.signal is None else f"was ended by signal {self.signal}"
        return f"child {self.pid} {how}" + (f" ({self.reason})" if self.reason else "")


def exit_status(process: Any) -> int | None:
    """Return a child's exit code (negative: the signal), None while it lives. The pool itself waits for the child."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return cast("int | None", process.exitcode)
    try:
        result = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # waited for already: billiard does so when it starts another child
        return process.exitcode or 0
    if result is None:
        return None
    return result.si_status if result.si_code == os.CLD_EXITED else -result.si_status


def signal_group(pgid: int, number: signal.Signals) -> None:
    """Signal a child's process group, which the node makes right after the fork."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, number)


def ask_group(leader: int) -> None:
    """Send SIGTERM to the main thread of a child, and to the other processes of its group.

    Python runs a handler in the main thread only, and a signal that another thread takes does not end the main thread's
    system call. A signal for the process would be taken by any thread, if the process is stopped when it comes.
    """
    members = [pid for pid in psutil.pids() if pid != leader and _group_of(pid) == leader]
    if _libc is None or _libc.tgkill(leader, leader, signal.SIGTERM) != 0:
        members.append(leader)
    for pid in members:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGTERM)


def _group_of(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return os.getpgid(pid)
    return None


def kill_leftovers(groups: set[int]) -> None:
    """Kill the members of groups whose leaders have ended. A group of another session has only taken the number."""
    if not groups:
        return
    session = os.getsid(0)
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getpgid(pid) in groups and os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)
