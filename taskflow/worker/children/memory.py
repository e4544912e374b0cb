"""Ends prefork children whose memory, including that of what they spawned, outgrows the machine of their runs."""

import contextlib
import logging
import os
from collections import deque
from pathlib import Path
from typing import Final, Protocol

import psutil

from taskflow.worker.repeating_thread import RepeatingThread

log = logging.getLogger("taskflow.node")
OUT_OF_MEMORY: Final = "out of memory"
"""The ``reason`` of a child that was ended because its run used more than its machine has."""
RECYCLED: Final = "kept too much memory after its run"
"""The ``reason`` of an idle child that was replaced."""

_EVERY: Final = 0.1
_FAILURE_PAUSE_SECONDS: Final = 1.0
_IDLE_TURNS: Final = 20  # an idle child is looked at every 2 s
_SCAN_TURNS: Final = 20
_PAGE: Final = os.sysconf("SC_PAGE_SIZE")
_HAS_PROC: Final = Path("/proc/self/statm").exists()


class Children(Protocol):
    """The children of a node: ``ChildWatch``."""

    def pids(self) -> list[int]: ...

    def busy_pids(self) -> list[int]: ...

    def kill_child(self, pid: int, *, grace: float = 0, reason: str) -> bool: ...


class MemoryWatch(RepeatingThread):
    """Compares each child's resident memory with a limit, ten times a second while it executes a run.

    A child counts with its descendants and the rest of its process group. With more than one process, pages that they
    share are counted once (PSS), so that a task may fork helpers around its data.

    Args:
        children: The node's children.
        limit: Bytes: ``MachineSpec.memory_bytes``.
    """

    def __init__(self, children: Children, limit: int) -> None:
        super().__init__("taskflow-memory", first_pause=_EVERY)
        self._children = children
        self._limit = limit
        self._strays: dict[int, list[int]] = {}
        self._turns = 0

    def turn(self) -> float:
        """Check the busy children, and every 2 s the idle ones as well."""
        self._turns += 1
        busy = self._children.busy_pids()
        if busy and self._turns % _SCAN_TURNS == 0:
            self._strays = _members(busy)
        for pid in busy:
            self._check(pid, OUT_OF_MEMORY)
        if self._turns % _IDLE_TURNS == 0:
            for pid in self._children.pids():
                if pid not in busy:
                    self._check(pid, RECYCLED)
        return _EVERY

    def handle_error(self, error: Exception) -> float:
        """Log it and go on."""
        log.error("memory.unwatched", exc_info=error)
        return _FAILURE_PAUSE_SECONDS + _EVERY

    def _check(self, pid: int, reason: str) -> None:
        processes = family(pid, self._strays.get(pid, ()))
        used = sum(map(resident, processes))
        if used > self._limit and len(processes) > 1:
            used = sum(map(proportional, processes))
        if used > self._limit and self._children.kill_child(pid, reason=reason):
            log.warning(
                "child.%s: %d uses %d MB of %d MB", reason.replace(" ", "_"), pid, used >> 20, self._limit >> 20
            )


def family(pid: int, strays: "list[int] | tuple[int, ...]" = ()) -> set[int]:
    """Return a process, its descendants, and the given members of its group whose parents are gone."""
    if not _HAS_PROC:
        with contextlib.suppress(psutil.Error):
            return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True)), *strays}
        return {pid, *strays}
    members = {pid, *strays}
    unread = deque(members)
    while unread:
        for child in _children_of(unread.popleft()):
            if child not in members:
                members.add(child)
                unread.append(child)
    return members


def resident(pid: int) -> int:
    """Return a process's resident memory in bytes, 0 when it is gone."""
    if not _HAS_PROC:
        with contextlib.suppress(psutil.Error):
            return psutil.Process(pid).memory_info().rss
        return 0
    with contextlib.suppress(OSError, IndexError):
        return int(_read(f"/proc/{pid}/statm").split()[1]) * _PAGE
    return 0


def proportional(pid: int) -> int:
    """Return a process's share of resident memory in bytes: shared pages are divided by their users (PSS)."""
    with contextlib.suppress(OSError):
        for line in _read(f"/proc/{pid}/smaps_rollup").splitlines():
            if line.startswith(b"Pss:"):
                return int(line.split()[1]) * 1024
    return resident(pid)


def _children_of(pid: int) -> list[int]:
    pids: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(OSError):
                pids += map(int, _read(f"/proc/{pid}/task/{thread}/children").split())
    return pids


def _members(groups: list[int]) -> dict[int, list[int]]:
    """Return the members of process groups, because a process whose parent has ended is no descendant any more."""
    members: dict[int, list[int]] = {}
    for pid in psutil.pids():
        with contextlib.suppress(OSError):
            group = os.getpgid(pid)
            if group in groups:
                members.setdefault(group, []).append(pid)
    return members


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 8192)
    finally:
        os.close(fd)
