"""A process of the session: gets its order on standard input, and is followed by its lines and its end."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, Final

from pydantic import BaseModel

from taskflow.dev.messages import Message, read_message
from taskflow.worker.launch.node_process import die_with

_LAST_LINES_SECONDS: Final = 1.0
"""Time for the last lines of a process that has ended. A program that a task left running may hold its output open."""


@dataclass(frozen=True, slots=True)
class Said:
    """A message of a process."""

    process: "DevProcess"
    message: Message


@dataclass(frozen=True, slots=True)
class Printed:
    """A line that a process has printed."""

    process: "DevProcess"
    line: str


@dataclass(frozen=True, slots=True)
class Ended:
    """A process has ended, and its lines were read."""

    process: "DevProcess"


ProcessEvent = Said | Printed | Ended


class DevProcess:
    """A Python module as a subprocess in a session of its own. Ctrl-C in the terminal does not reach it.

    Args:
        order: Its standard input, as JSON.
        put: Called with its events, from threads.
    """

    def __init__(self, module: str, order: BaseModel, put: Callable[[ProcessEvent], None]) -> None:
        self._module, self._order, self._put = module, order, put
        self._process: subprocess.Popen[bytes] | None = None
        self.started_at = 0.0

    @property
    def exitcode(self) -> int | None:
        """The exit code, negative for a signal; None while it runs."""
        return self._process.returncode if self._process else None

    def start(self, pass_fds: Sequence[int] = ()) -> None:
        """Start it. On the main thread, because it is to end with the thread that forks it."""
        self.started_at = time.monotonic()
        process = self._process = subprocess.Popen(
            [sys.executable, "-m", self._module],
            # No bytecode: stale one is told by second and size, so that two edits within a second may look like one.
            env={**os.environ, "PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
            preexec_fn=die_with(os.getpid()) if sys.platform == "linux" else None,
        )
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(OSError), process.stdin:  # it may have ended already
            process.stdin.write(self._order.model_dump_json().encode())
        reader = threading.Thread(target=self._read, args=(process.stdout,), daemon=True)
        reader.start()
        threading.Thread(target=self._follow, args=(process, reader), daemon=True).start()

    def signal(self, number: signal.Signals) -> None:
        """Signal the process, unless it has ended."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)

    def _read(self, output: IO[bytes]) -> None:
        with output:
            for line in output:
                text = line.decode(errors="replace").rstrip("\n")
                message = read_message(text)
                self._put(Printed(self, text) if message is None else Said(self, message))

    def _follow(self, process: "subprocess.Popen[bytes]", reader: threading.Thread) -> None:
        process.wait()
        reader.join(_LAST_LINES_SECONDS)
        self._put(Ended(self))
