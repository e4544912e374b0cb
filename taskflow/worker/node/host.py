"""The cores and the memory of this host, as limited by CPU affinity and cgroups (containers)."""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psutil

_ROOT = Path("/sys/fs/cgroup")
_SELF = Path("/proc/self/cgroup")


@dataclass(frozen=True, slots=True)
class Host:
    """Cores (a CPU quota may make it a fraction) and memory in bytes."""

    cores: float
    memory: int

    def __str__(self) -> str:
        return f"{self.cores:g} cores, {self.memory / 1024**3:.1f} GB"


def this_host(root: Path = _ROOT, own: Path = _SELF) -> Host:
    """Measure the host that this process runs on.

    Args:
        root: The folder in which the cgroup file systems are mounted.
        own: The file that names this process's cgroups.
    """
    cores = float(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)
    quotas = [cores, *_v2_quotas(root, own), *_v1_quotas(root, own)]
    memory = psutil.virtual_memory().total
    limits = [memory, *_numbers(root, own, "", "memory.max"), *_numbers(root, own, "memory", "memory.limit_in_bytes")]
    return Host(min(quotas), min(limits))


def _v2_quotas(root: Path, own: Path) -> Iterator[float]:
    for path in _files(root, own, "", "cpu.max"):
        quota, _, period = path.read_text().strip().partition(" ")
        if quota.isdigit() and period.isdigit():
            yield int(quota) / int(period)


def _v1_quotas(root: Path, own: Path) -> Iterator[float]:
    for path in _files(root, own, "cpu", "cpu.cfs_quota_us"):
        with contextlib.suppress(OSError, ValueError):
            quota, period = int(path.read_text()), int(path.with_name("cpu.cfs_period_us").read_text())
            if quota > 0 and period > 0:
                yield quota / period


def _numbers(root: Path, own: Path, controller: str, name: str) -> Iterator[int]:
    for path in _files(root, own, controller, name):
        text = path.read_text().strip()
        if text.isdigit() and int(text) > 0:  # else "max"
            yield int(text)


def _files(root: Path, own: Path, controller: str, name: str) -> Iterator[Path]:
    """Yield a file of every cgroup from this process's up to the root, because each one limits what is in it.

    A container without a cgroup namespace reads the host's path and has only the root: the walk ends there as well.
    """
    if not own.is_file():
        return
    for line in own.read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        if controller in controllers.split(","):
            here = PurePosixPath(path.lstrip("/"))
            for folder in dict.fromkeys((here, *here.parents)):
                file = root / controller / folder / name
                if file.is_file():
                    yield file
