"""Which child executes a run at this moment, for sure: it stands still while the node looks."""

import contextlib
import os
import select
import signal
import time
from collections.abc import Generator
from inspect import isgenerator
from typing import Any, Final

from celery.worker import state

_STOP_SECONDS: Final = 0.1


def executing_child(run_id: str) -> int | None:
    """Return the pid of the child that executes a Celery request, by what the node has read of its children."""
    found = [request for request in state.active_requests if request.id == run_id and request.worker_pid]
    if not found:
        return None
    return int(min(found, key=lambda request: request.time_start).worker_pid)  # one that came twice is refused soon


def read_messages(hub: Any, process: Any) -> None:
    """Let the pool read what a child has sent, as Celery's loop would. On the hub's thread."""
    fd = process.outqR_fd
    while hub is not None and fd in hub.readers and select.select([fd], [], [], 0)[0]:
        reader, arguments = hub.readers[fd]
        if isgenerator(reader):  # of a message that was sent in part
            try:
                next(reader)
            except StopIteration:  # it is whole now, and the pool's own reader is back for the next
                continue
            except (OSError, EOFError):
                return
        else:
            reader(*arguments)


@contextlib.contextmanager
def stopped(pid: int) -> Generator[bool]:
    """Have a child stand still meanwhile. Yields whether it does: one in the kernel's hands may not, nor a dead one."""
    try:
        os.kill(pid, signal.SIGSTOP)
        yield _stands_still(pid)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def _stands_still(pid: int) -> bool:
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        time.sleep(_STOP_SECONDS)
        return True
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        found = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if found is not None:
            return found.si_code == os.CLD_STOPPED
        time.sleep(0)
    return False
