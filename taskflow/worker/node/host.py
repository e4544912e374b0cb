"""The cores and the memory of this host, as limited by CPU affinity and cgroups (containers)."""

import contextlib
import logging
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psutil

log = logging.getLogger("taskflow.node")
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


class HostLoad:
    """Measures the memory and the processors that are in use on this host, or in this container. One for each node."""

    def __init__(self, root: Path = _ROOT, own: Path = _SELF) -> None:
        self._memory = this_host(root, own).memory
        self._files = [*_files(root, own, "", "memory.current"), *_files(root, own, "memory", "memory.usage_in_bytes")]
        self.measure()  # the first call has nothing to compare with

    def measure(self) -> dict[str, float]:
        """Return ``memory`` and ``cpu``, shares from 0 to 1, and ``memory_bytes``. CPU is that since the last call.

        Returns:
            Nothing where the host does not tell, because a node's heartbeat must not depend on it.
        """
        try:
            return self._measured()
        except Exception as error:  # noqa: BLE001 - what a container hides is up to its runtime
            log.debug("host.unmeasured: %s: %s", type(error).__name__, error)
            return {}

    def _measured(self) -> dict[str, float]:
        total = psutil.virtual_memory()
        used = total.total - total.available
        if self._memory < total.total:  # a container: the caches that it can give back count as used there
            used = next((int(path.read_text()) for path in self._files if path.is_file()), used)
        share = min(1.0, used / self._memory)
        return {
            "memory": round(share, 3),
            "memory_bytes": self._memory,
            "cpu": round(psutil.cpu_percent() / 100, 3),
        }


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
