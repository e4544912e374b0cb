"""The start of a prefork child, which must never outlive its node. Runs in the child."""

import contextlib
import ctypes
import os
import signal
import sys
import threading
import time
from typing import Final

from billiard import current_process
from celery.signals import worker_process_init

_PR_SET_PDEATHSIG: Final = 1
_POLL: Final = 0.5
_libc: ctypes.CDLL = ctypes.CDLL(None)


class _Forks:
    """The pid of the process that forked, noted before the fork: ``getppid()`` after it may already name another."""

    forking = 0
    parent = 0


def _remember() -> None:
    _Forks.forking = os.getpid()


def _inherit() -> None:
    _Forks.parent = _Forks.forking


os.register_at_fork(before=_remember, after_in_child=_inherit)


def bind_children() -> None:
    """Have every prefork child that starts from now on die with its node. Call it before the pool forks."""
    worker_process_init.connect(_start_child, weak=False, dispatch_uid="taskflow.worker.children.start")


def _start_child(**_: object) -> None:
    """Lead an own process group and die with the node.

    Celery sets PR_SET_PDEATHSIG as well, but the child of a node that died before that would live on.
    """
    if current_process().name == "MainProcess":  # the solo pool sends the signal in the node itself
        return
    parent = _Forks.parent or os.getppid()  # 0: spawned, not forked
    with contextlib.suppress(PermissionError):  # already a session's leader
        os.setpgid(0, 0)
    if not _die_with_parent():
        threading.Thread(target=_watch_parent, args=(parent,), name="taskflow-parent", daemon=True).start()
    if os.getppid() != parent:
        os._exit(1)


def _die_with_parent() -> bool:
    """Ask the kernel for SIGKILL when the thread that forked ends: the hub's, which lives as long as its process."""
    return sys.platform == "linux" and bool(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL)
    os.killpg(0, signal.SIGKILL)
