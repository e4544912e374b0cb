"""Processes whose imports are done already: forks of a server that has imported the modules, once for each pytest.

A node computes for more than a second until its imports are done, and the tests start many hundred nodes. A fork is a
process like any other afterwards: it runs the same module with the same arguments, environment, folder and output, in
a session of its own. Tests of a start itself start an interpreter (``tests.support.processes.spawn``).
"""

import array
import atexit
import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from tests.support.processes import guard, spawn

ROOT = Path(__file__).parents[2]
_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "FAKETIME")
"""The beginnings of the variables that an interpreter reads once, at its start."""


class ForkedProcess:
    """A process that a fork server has made, with the part of ``subprocess.Popen`` that the tests use."""

    def __init__(self, args: Sequence[str], status: socket.socket) -> None:
        self.args = args
        self.returncode: int | None = None
        self._status = status
        self._poll = select.poll()
        self._poll.register(status, select.POLLIN)
        self._lock = threading.Lock()
        self.pid = int(status.recv(64) or self._has_no_server())

    def poll(self) -> int | None:
        """Return the exit code, None while the process runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self.wait(0)
        return None

    def wait(self, timeout: float | None = None) -> int:
        """Return the exit code once the process has ended.

        Raises:
            subprocess.TimeoutExpired: It was still running after ``timeout`` seconds.
        """
        with self._lock:
            if self.returncode is None:
                if not self._poll.poll(None if timeout is None else timeout * 1000):
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
                self.returncode = int(self._status.recv(64) or self._has_no_server())
                self._status.close()
            return self.returncode

    def send_signal(self, sig: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, sig)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Send SIGKILL."""
        self.send_signal(signal.SIGKILL)

    def _has_no_server(self) -> str:
        raise AssertionError(f"the fork server of {' '.join(self.args)} has ended")


class ForkServer:
    """A process that has imported modules and forks at request. It starts at the first fork, and ends with pytest.

    Args:
        modules: The modules to import before the first fork: those that every forked process would import itself.
        python: The interpreter.
        env: The variables that these modules read when they are imported.
    """

    def __init__(self, *modules: str, python: str = sys.executable, **env: str) -> None:
        self._modules, self._python, self._env = modules, python, {"PYTHONPATH": str(ROOT), **env}
        self._lock = threading.Lock()
        self._requests: socket.socket | None = None

    def can_fork(self, env: Mapping[str, str]) -> bool:
        """Whether an interpreter that is started with these variables differs by nothing but its time."""
        at_start = {name: value for name, value in env.items() if name.startswith(_AT_START) or name in self._env}
        return hasattr(os, "pidfd_open") and at_start == self._env

    def fork(
        self,
        words: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path,
        output: "IO[bytes]",
        errors: "IO[bytes] | None" = None,
    ) -> ForkedProcess:
        """Fork a process that runs a program, as leader of its own group (and session). It surely dies with pytest.

        Args:
            words: What follows ``python`` in a command line: ``-m MODULE``, ``-c CODE`` or a file, and the arguments.
            errors: The file for stderr, ``output`` when None.
        """
        request = {"words": list(words), "environment": dict(env), "folder": str(cwd)}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs, self._lock:
            requests = self._requests = self._requests or self._start()
            files = (output, errors or output, theirs)
            descriptors = array.array("i", [file.fileno() for file in files])
            requests.sendmsg([json.dumps(request).encode()], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, descriptors)])
        process = ForkedProcess(words, ours)
        guard(process.pid)
        return process

    def _start(self) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        program = "tests.support.fork_server_program"
        argv = [self._python, "-m", program, str(theirs.fileno()), *self._modules]
        env = {"PATH": os.environ.get("PATH", os.defpath), **self._env}
        with theirs:
            process = spawn(argv, env=env, cwd=ROOT, output=2, pass_fds=(theirs.fileno(),))
        atexit.register(_close, ours, process)
        return ours


def _close(requests: socket.socket, process: "subprocess.Popen[bytes]") -> None:
    requests.close()
    process.wait(10)
