"""How a pool child ended, and signals to what it leaves behind. Plain system calls: nothing of Celery's is changed."""

import contextlib
import os
import signal
from dataclasses import dataclass
from typing import Any, cast

import psutil


@dataclass(frozen=True, slots=True)
class ChildExit:
    """A pool child that has ended.

    Attributes:
        exitcode: Its exit code, None when a signal ended it.
        signal: The signal that ended it, None when it exited.
        reason: Why the node ended it (``kill_child``'s reason), "" when the node did not.
        run_ids: The Celery requests that it had accepted and not finished, by all it has said. At most one.
    """

    pid: int
    exitcode: int | None
    signal: int | None
    reason: str
    run_ids: tuple[str, ...]

    def __str__(self) -> str:
        how = f"exited with {self.exitcode}" if self.signal is None else f"was ended by signal {self.signal}"
        return f"child {self.pid} {how}" + (f" ({self.reason})" if self.reason else "")


def exit_status(process: Any) -> int | None:
    """Return a child's exit code (negative: the signal), None while it lives, and leave waiting for it to the pool."""
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return cast("int | None", process.exitcode)
    try:
        found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:  # waited for already: billiard does so when it starts another child
        return process.exitcode or 0
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def signal_group(pgid: int, number: signal.Signals) -> None:
    """Signal a child's process group. The node makes it right after the fork, so it is there."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pgid, number)


def kill_leftovers(groups: set[int]) -> None:
    """Kill the members of groups whose leaders are gone; the session tells them from a group that took the number."""
    if not groups:
        return
    session = os.getsid(0)
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            if os.getpgid(pid) in groups and os.getsid(pid) == session:
                os.kill(pid, signal.SIGKILL)
