"""The start of a prefork child, which must never outlive its node. Runs in the child."""

import contextlib
import ctypes
import multiprocessing.process
import os
import signal
import sys
import threading
import time
from typing import Any, Final, cast

from billiard import context as billiard_context
from billiard import current_process
from billiard import process as billiard_process
from billiard.common import _shutdown_cleanup  # type: ignore[attr-defined] # not in the stubs
from celery.signals import worker_process_init

from taskflow.execution.forks import execute_runs_here, is_fork
from taskflow.worker.child.leftovers import adopt_orphans

_PR_SET_PDEATHSIG: Final = 1
_POLL: Final = 0.5
_TERMINATING: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM, signal.SIGPIPE)
_libc: ctypes.CDLL = ctypes.CDLL(None)


class _Forks:
    """The pid of the process that forked, noted before the fork: ``getppid()`` after it may already name another."""

    forking = 0
    parent = 0


class _Held(threading.local):
    mask: set[int]


_held: Final = _Held()


def _remember() -> None:
    _Forks.forking = os.getpid()


def _inherit() -> None:
    _Forks.parent = _Forks.forking


def _hold_signals() -> None:
    """Let no handler run within the fork, where its SystemExit would be ignored."""
    _held.mask = signal.pthread_sigmask(signal.SIG_BLOCK, _TERMINATING)


def _release_signals() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _held.mask)


def _release_signals_in_fork() -> None:
    """Have a fork of a child end at once when it is asked to, as other processes do: no node listens to it."""
    if is_fork():
        for number in _TERMINATING:
            if signal.getsignal(number) is _shutdown_cleanup:
                signal.signal(number, signal.SIG_DFL)
    _release_signals()


os.register_at_fork(before=_remember, after_in_child=_inherit)
os.register_at_fork(
    before=_hold_signals, after_in_parent=_release_signals, after_in_child=_release_signals_in_fork
)  # of all hooks the first before, and the last after a fork


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
    _allow_multiprocessing()
    adopt_orphans()
    execute_runs_here()


def _allow_multiprocessing() -> None:
    """Let tasks use multiprocessing. What they leave running ends with their run, or with this process's group.

    Pools forbid it to their children, which they might otherwise orphan.
    """
    config: dict[str, Any] = cast("Any", current_process())._config
    config["daemon"] = False
    config["authkey"] = _Key(config["authkey"])


class _Key(bytes):
    """The key of this process. billiard's and multiprocessing's each refuse to be sent to a process of the other."""

    def __reduce__(self) -> tuple[type[bytes], tuple[bytes]]:
        is_billiards = cast("Any", billiard_context).get_spawning_popen() is not None
        kind: Any = billiard_process if is_billiards else multiprocessing.process
        return cast("tuple[type[bytes], tuple[bytes]]", kind.AuthenticationString(self).__reduce__())


def _die_with_parent() -> bool:
    """Ask the kernel for SIGKILL when the thread that forked ends: the hub's, which lives as long as its process."""
    return sys.platform == "linux" and bool(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) == 0)


def _watch_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_POLL)
    os.killpg(0, signal.SIGKILL)
