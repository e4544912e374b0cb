"""Start processes that do not outlive pytest, even when pytest is killed."""

import atexit
import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol

import psutil


class Process(Protocol):
    """The part of ``subprocess.Popen`` that the tests use. A forked process has it, too."""

    @property
    def pid(self) -> int: ...

    @property
    def returncode(self) -> int | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, sig: int) -> None: ...

    def terminate(self) -> None: ...


_lock = threading.Lock()
_reaper: "subprocess.Popen[bytes] | None" = None


def _tell_reaper(line: str) -> None:
    global _reaper
    with _lock:
        if _reaper is None or _reaper.poll() is not None:
            script = Path(__file__).with_name("reaper.py")
            argv = [sys.executable, "-I", str(script), str(os.getpid())]
            _reaper = subprocess.Popen(argv, stdin=subprocess.PIPE, start_new_session=True)
            atexit.register(_close_reaper, _reaper)
        assert _reaper.stdin is not None
        _reaper.stdin.write(f"{line}\n".encode())
        _reaper.stdin.flush()


def _close_reaper(reaper: "subprocess.Popen[bytes]") -> None:
    if reaper.stdin is not None:
        reaper.stdin.close()
    reaper.wait(10)


def guard(pgid: int) -> None:
    """Register a process group that the reaper kills when pytest ends, however it ends."""
    _tell_reaper(f"+{pgid}")


def release(pgid: int) -> None:
    """Unregister a process group that has ended."""
    _tell_reaper(f"-{pgid}")


def spawn(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    output: "IO[bytes] | int" = subprocess.DEVNULL,
    errors: "IO[bytes] | None" = None,
    pass_fds: Sequence[int] = (),
) -> "subprocess.Popen[bytes]":
    """Start a process as leader of its own group (and session) that surely dies with pytest.

    Args:
        output: The file for stdout and stderr.
        errors: The file for stderr, ``output`` when None.
        pass_fds: The other descriptors that the process inherits.
    """
    process = subprocess.Popen(
        [str(part) for part in argv],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=errors or subprocess.STDOUT,
        env=env,
        cwd=cwd,
        start_new_session=True,
        pass_fds=pass_fds,
    )
    guard(process.pid)
    return process


def spawn_pipes(
    argv: Sequence[str | Path], *, env: Mapping[str, str], cwd: Path, output: "IO[bytes] | int"
) -> "subprocess.Popen[bytes]":
    """Start a process as ``spawn`` does, with pipes for stdin and stdout. ``output`` is the file for stderr."""
    process = subprocess.Popen(
        [str(part) for part in argv],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=output,
        env=env,
        cwd=cwd,
        start_new_session=True,
    )
    guard(process.pid)
    return process


def signal_group(process: Process, number: signal.Signals) -> None:
    """Send a signal to the process and everything in its group."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def kill_group(process: Process) -> None:
    """``kill -9`` the whole process group and reap its leader."""
    signal_group(process, signal.SIGKILL)
    process.wait(10)
    release(process.pid)


def stop_group(process: Process, timeout: float = 30) -> int:
    """Send SIGTERM to the leader, wait for it, then kill the rest of its group.

    Returns:
        The leader's exit code (-9 when it did not stop in time).
    """
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout)
    kill_group(process)
    return process.wait()


def is_alive(pid: int) -> bool:
    """Whether a process exists, zombies excluded."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def group_is_alive(pgid: int) -> bool:
    """Whether any process of the group exists, zombies excluded."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, ProcessLookupError):
            if os.getpgid(process.pid) == pgid and process.status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def tail(path: Path, lines: int = 25) -> str:
    """Return the last lines of a log for an assertion message."""
    if not path.exists():
        return "(no log)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])
