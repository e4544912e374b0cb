"""The identity of a node's process, by which another node of the same host finds that the process is gone.

It names the host, the boot, the PID and time namespaces, the process id and the process's start in clock ticks. A
process of another host or namespace is never taken for gone: its lease decides.
"""

import os
import platform
from pathlib import Path
from typing import Final

_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")
_STATE, _START = 0, 19  # fields 3 and 22 of /proc/<pid>/stat, behind the command's closing parenthesis
_ENDED: Final = ("Z", "X")


def own_process() -> str | None:
    """Return the identity of this process, None where the system does not tell (other systems than Linux)."""
    place = _place()
    stat = _stat(os.getpid())
    return f"{place} {os.getpid()} {stat[_START]}" if place and stat else None


def is_gone(process: str) -> bool:
    """Whether a process certainly has ended. False also when that can't be found out from here."""
    place, pid, start = process.rsplit(" ", 2)
    if place != _place():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, as another user's
        pass
    stat = _stat(int(pid))
    return stat is not None and (stat[_START] != start or stat[_STATE] in _ENDED)


def _place() -> str | None:
    try:
        boot = _BOOT.read_text().strip()
        namespaces = [os.readlink(f"/proc/self/ns/{name}") for name in ("pid", "time")]
    except OSError:
        return None
    return " ".join([platform.node(), boot, *namespaces])


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
