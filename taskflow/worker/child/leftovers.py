"""Ends the processes that a run has started and left running. In the child, at the end of each run.

The child adopts orphans among its descendants (PR_SET_CHILD_SUBREAPER), so that a child without children of its own has
no descendants either: one system call tells it. Processes in a session of their own are spared, because their starter
has detached them, as is multiprocessing's own resource tracker, which ends with the child.
"""

import contextlib
import ctypes
import logging
import os
import sys
import time
from pathlib import Path
from typing import Final

import psutil

from taskflow.execution.reporting.live_run import LiveRun

log = logging.getLogger("taskflow.node")
_PR_SET_CHILD_SUBREAPER: Final = 36
_POLL: Final = 0.005
_LONGEST: Final = 1.0
"""Seconds to wait for the end of what was killed."""
_LOOK: Final = os.WEXITED | os.WNOHANG | os.WNOWAIT
_libc: ctypes.CDLL = ctypes.PyDLL(None)
_wait_id: Final = _libc.waitid  # os.waitid raises an error in the usual case, which takes twice the time
_wait_id.argtypes = [ctypes.c_int, ctypes.c_uint, ctypes.c_void_p, ctypes.c_int]
_spared: set[int] = set()


def adopt_orphans() -> None:
    """Become the parent of orphans among the descendants of this process, and spare those that it has already."""
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _spared.clear()
    if has_children():
        _spared.update(process.pid for process in _descendants(os.getpid()))


def has_children() -> bool:
    """Whether this process has children, also ended ones that nobody has waited for."""
    return bool(_wait_id(os.P_ALL, 0, None, _LOOK) == 0)


def end_leftovers(live: LiveRun) -> None:
    """Kill what the run has started and not waited for, and say so in its log."""
    if not has_children():
        return
    kept = _spared | _of_multiprocessing()
    if kept.issuperset(_child_pids(os.getpid())):
        return
    names = {process.pid: _name(process) for process in _left(kept)}
    if not names:
        return
    shown = ", ".join(f"{pid} ({name})" for pid, name in names.items())
    message = f"Processes that the run had started were still running at its end, and were killed: {shown}"
    live.log("WARNING", "taskflow.run", message, {})
    log.warning("run.left_processes: %s: %s", live.identity.run_id, message)
    _end_pools()
    deadline = time.monotonic() + _LONGEST
    while (left := _left(kept)) and time.monotonic() < deadline:
        for process in left:
            with contextlib.suppress(psutil.Error):
                process.kill()
        time.sleep(_POLL)


def _end_pools() -> None:
    """End multiprocessing's pools and managers, which would start killed processes again."""
    if util := sys.modules.get("multiprocessing.util"):
        vars(util)["_run_finalizers"](0)


def _of_multiprocessing() -> set[int]:
    """Return the processes that multiprocessing keeps for this process and starts only once."""
    tracker, server = (sys.modules.get(f"multiprocessing.{name}") for name in ("resource_tracker", "forkserver"))
    pids = {getattr(getattr(tracker, "_resource_tracker", None), "_pid", None)}
    pids.add(getattr(getattr(server, "_forkserver", None), "_forkserver_pid", None))
    return {pid for pid in pids if pid is not None}


def _left(kept: set[int]) -> list[psutil.Process]:
    """Return the running processes below this one and in its session. Ended ones are waited for."""
    me, left = os.getpid(), list[psutil.Process]()
    session = os.getsid(0)
    for process in _descendants(me):
        with contextlib.suppress(psutil.Error, OSError):
            if process.pid in kept:
                continue
            if process.status() != psutil.STATUS_ZOMBIE:
                left += [process] * (os.getsid(process.pid) == session)
            elif process.ppid() == me:
                os.waitpid(process.pid, os.WNOHANG)
    return left


def _descendants(pid: int) -> list[psutil.Process]:
    found: list[psutil.Process] = []
    for child in _child_pids(pid):
        with contextlib.suppress(psutil.Error):
            found += [psutil.Process(child), *_descendants(child)]
    return found


def _child_pids(pid: int) -> list[int]:
    """Return the children of a process. The kernel's lists are read where it has them: psutil reads all processes."""
    threads = f"/proc/{pid}/task"
    try:
        lists = [Path(threads, thread, "children").read_text() for thread in os.listdir(threads)]
    except OSError:
        with contextlib.suppress(psutil.Error):
            return [child.pid for child in psutil.Process(pid).children()]
        return []
    return [int(child) for each in lists for child in each.split()]


def _name(process: psutil.Process) -> str:
    try:
        return process.name()
    except psutil.Error:
        return "ended"
