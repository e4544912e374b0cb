"""The capacity of a host, from files laid out as by Linux and container runtimes."""

from pathlib import Path

import pytest

from taskflow.worker.node.host import HostLoad, this_host


@pytest.mark.parametrize(
    "cgroups, files",
    [
        ("0::/app/worker\n", {"app/cpu.max": "25000 100000", "app/worker/cpu.max": "max 100000"}),
        ("0::/\n", {"cpu.max": "25000 100000"}),
        ("4:cpu,cpuacct:/docker/1f\n", {"cpu/cpu.cfs_quota_us": "25000", "cpu/cpu.cfs_period_us": "100000"}),
    ],
    ids=["v2, on the host", "v2, in a container", "v1, in a container that sees the host's path"],
)
def test_a_cpu_quota_counts(tmp_path: Path, cgroups: str, files: dict[str, str]) -> None:
    """A container with a quarter of a core on a large host must not start a child for each core."""
    (tmp_path / "own").write_text(cgroups)
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    assert this_host(tmp_path, tmp_path / "own").cores == 0.25


@pytest.mark.parametrize(
    "cgroups, name",
    [("0::/\n", "memory.max"), ("4:memory:/a/b\n", "memory/a/memory.limit_in_bytes")],
    ids=["v2", "v1, of a parent"],
)
def test_a_memory_limit_counts(tmp_path: Path, cgroups: str, name: str) -> None:
    """The kernel kills at the container's limit, not at the host's memory."""
    (tmp_path / "own").write_text(cgroups)
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).write_text(f"{64 << 20}\n")
    assert this_host(tmp_path, tmp_path / "own").memory == 64 << 20


def test_without_limits_the_host_itself_counts(tmp_path: Path) -> None:
    """ "max", and the largest number, which version 1 writes for it, limit nothing."""
    (tmp_path / "own").write_text("4:memory:/\n0::/\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory" / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert this_host(tmp_path, tmp_path / "own") == this_host(tmp_path, tmp_path / "missing")


def test_what_a_host_does_not_tell_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A heartbeat without it renews the lease all the same."""
    (tmp_path / "own").write_text("0::/\n")
    (tmp_path / "memory.max").write_text(f"{64 << 20}\n")
    (tmp_path / "memory.current").write_text(f"{32 << 20}\n")
    load = HostLoad(tmp_path, tmp_path / "own")
    assert load.measure()["memory"] == 0.5
    (tmp_path / "memory.current").write_text("hidden\n")
    assert load.measure() == {}

    def refuse() -> float:
        raise PermissionError("/proc/stat")

    (tmp_path / "memory.current").write_text(f"{32 << 20}\n")
    monkeypatch.setattr("psutil.cpu_percent", refuse)
    assert load.measure() == HostLoad(tmp_path, tmp_path / "own").measure() == {}
