"""The child that executes a run at this moment, for sure: it is stopped while the node looks."""

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
    """Return the pid of the child that executes a Celery request, by the messages that the node has read."""
    requests = [request for request in state.active_requests if request.id == run_id and request.worker_pid]
    if not requests:
        return None
    return int(
        min(requests, key=lambda request: request.time_start).worker_pid
    )  # a request that came twice is refused soon


def read_messages(hub: Any, process: Any) -> None:
    """Have the pool read what a child has sent, as Celery's loop would. On the hub's thread."""
    fd = process.outqR_fd
    while hub is not None and fd in hub.readers and select.select([fd], [], [], 0)[0]:
        reader, arguments = hub.readers[fd]
        if isgenerator(reader):  # the message was sent in part
            try:
                next(reader)
            except StopIteration:  # the message is whole now, and the pool's own reader is registered again
                continue
            except (OSError, EOFError):
                return
        else:
            reader(*arguments)


@contextlib.contextmanager
def standstill(pid: int) -> Generator[bool]:
    """Stop a child for the time of the block. Yield whether it stands still: not in a system call, nor dead."""
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
        result = os.waitid(os.P_PID, pid, os.WSTOPPED | os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if result is not None:
            return result.si_code == os.CLD_STOPPED
        time.sleep(0)
    return False
