"""One Celery node as a subprocess: its start, its output, and the end of everything in its session."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import IO, Final

import psutil

from taskflow.worker.launch.plan import NodePlan
from taskflow.worker.node.terminal import SUPERVISED

_PR_SET_PDEATHSIG: Final = 1
PROGRAM: Final = "taskflow.worker.launch.node_program"
"""In place of ``celery``, the first word of a plan's command."""
_libc: ctypes.CDLL = ctypes.CDLL(None)  # loaded before any fork, because nothing may be imported between fork and exec


class Output:
    """The stream for the lines of several nodes, each behind its node's label."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def forward(self, label: str, source: IO[bytes]) -> None:
        """Copy lines until the source ends. A stream without a reader does not stop the node."""
        prefix = f"{label} | ".encode()
        for line in source:
            with self._lock, contextlib.suppress(OSError, ValueError):
                self._stream.write(prefix + line.rstrip(b"\n") + b"\n")
                self._stream.flush()
        source.close()


class NodeProcess:
    """A node that can be started again and again.

    Args:
        label: The beginning of its output lines.
        output: None when the node is to inherit stdout and stderr.
        on_end: Called from a thread when the node has ended and no process of its session is left.
        program: The module that it executes.
    """

    def __init__(
        self,
        plan: NodePlan,
        label: str,
        output: Output | None,
        on_end: Callable[["NodeProcess"], None],
        program: str = PROGRAM,
    ) -> None:
        self.plan = plan
        self.label = label
        self.started_at = 0.0
        self._output = output
        self._on_end = on_end
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The number of its process, session and process group. 0 when it was never started."""
        return self._process.pid if self._process else 0

    @property
    def is_running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self._process is not None and self._process.returncode is None

    @property
    def exitcode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.returncode if self._process else None

    def start(self) -> None:
        """Start it. On the main thread, because PR_SET_PDEATHSIG follows the thread that forks."""
        self.started_at = time.monotonic()
        piped = self._output is not None
        self._process = subprocess.Popen(
            [sys.executable, "-m", self._program, *self.plan.command[1:]],
            env={**os.environ, **self.plan.env, SUPERVISED: "1", **({"PYTHONUNBUFFERED": "1"} if piped else {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if piped else None,
            stderr=subprocess.STDOUT if piped else None,
            start_new_session=True,  # the supervisor passes Ctrl-C on
            preexec_fn=die_with(os.getpid()) if sys.platform == "linux" else None,
        )
        if self._output is not None and self._process.stdout is not None:
            arguments = (self.label, self._process.stdout)
            threading.Thread(target=self._output.forward, args=arguments, daemon=True).start()
        threading.Thread(target=self._follow, args=(self._process,), daemon=True).start()

    def signal(self, number: signal.Signals) -> None:
        """Signal the node process alone, which ends its children itself."""
        if self._process is not None and self.is_running:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def kill(self) -> None:
        """SIGKILL the node and everything in its session."""
        if self.is_running:
            _kill_session(self.pid)

    def _follow(self, process: "subprocess.Popen[bytes]") -> None:
        if hasattr(os, "waitid"):  # while it is not waited for, its number names no other session
            os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        while _kill_session(process.pid):
            time.sleep(0.01)
        process.wait()
        self._on_end(self)


def die_with(supervisor: int) -> Callable[[], None]:
    """Return what a child does before its exec: ask for SIGTERM, which drains, when its parent's thread has ended."""

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(1)

    return prepare


def _kill_session(session: int) -> int:
    """SIGKILL every living member of a session, also those in groups of their own. Return how many there were."""
    killed = 0
    for pid in psutil.pids():
        with contextlib.suppress(OSError, psutil.Error):
            if os.getsid(pid) == session and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                os.kill(pid, signal.SIGKILL)
                killed += 1
    return killed
