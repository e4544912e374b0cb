"""The node's side of its guard: a tiny process that kills the node's children, and their spawn, when the node is gone.

PR_SET_PDEATHSIG reaches children only. Processes that a task has started are found through the child's process group.
"""

import logging
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Final

log = logging.getLogger("taskflow.node")
_PROGRAM: Final = Path(__file__).with_name("guard_program.py")
_RESTART_DELAY: Final = 0.5

_write_ends: set[int] = set()
_write_ends_lock = threading.Lock()


def _close_in_child() -> None:
    """Close the write ends, because one that a child kept would hide the node's death from the guard."""
    for fd in _write_ends:
        os.close(fd)
    _write_ends.clear()
    _write_ends_lock.release()


os.register_at_fork(
    before=_write_ends_lock.acquire, after_in_parent=_write_ends_lock.release, after_in_child=_close_in_child
)


class Guard:
    """Sends the guard process the groups that are to die with this node, and replaces a guard that dies first.

    Thread-safe. Does nothing in a forked child.
    """

    def __init__(self) -> None:
        self._owner = os.getpid()
        self._groups: set[int] = set()
        self._lock = threading.RLock()
        self._is_closed = threading.Event()
        self._write_end = -1
        self._process = self._start()
        threading.Thread(target=self._replace_dead, name="taskflow-guard", daemon=True).start()

    @property
    def pid(self) -> int:
        """The guard process."""
        return self._process.pid

    def watch(self, pgid: int) -> None:
        """Have a process group killed when this node is gone, however it died."""
        with self._lock:
            self._groups.add(pgid)
            self._send(f"+{pgid}")

    def forget(self, pgid: int) -> None:
        """Forget a process group that has ended, because its number may become that of another group."""
        with self._lock:
            self._groups.discard(pgid)
            self._send(f"-{pgid}")

    def close(self) -> None:
        """End the guard; it kills nothing."""
        if os.getpid() != self._owner or self._is_closed.is_set():
            return
        self._is_closed.set()
        with self._lock:
            self._send(".", even_closed=True)
            self._close_write_end()
        self._process.wait()

    def _start(self) -> "subprocess.Popen[bytes]":
        with _write_ends_lock:  # no fork before the pipe is in the set
            read_end, self._write_end = os.pipe()
            _write_ends.add(self._write_end)
            os.set_blocking(self._write_end, False)
            try:
                return subprocess.Popen(
                    [sys.executable, "-I", "-S", str(_PROGRAM)],
                    stdin=read_end,
                    stdout=subprocess.DEVNULL,  # else the node's output seems open after its end
                    stderr=subprocess.DEVNULL,
                    cwd="/",
                    start_new_session=True,
                )
            finally:
                os.close(read_end)

    def _send(self, line: str, *, even_closed: bool = False) -> None:
        if os.getpid() != self._owner or (self._is_closed.is_set() and not even_closed):
            return
        try:
            os.write(self._write_end, f"{line}\n".encode())
        except BlockingIOError:
            self._process.kill()  # it does not read; its successor gets everything
        except OSError:
            log.debug("guard.gone: its successor will be told %s", line)

    def _replace_dead(self) -> None:
        while True:
            code = self._process.wait()
            if self._is_closed.is_set():
                return
            ended = self._process.pid
            try:
                with self._lock:
                    self._close_write_end()
                    self._process = self._start()
                    for group in sorted(self._groups):
                        self._send(f"+{group}")
            except OSError as error:
                log.warning(
                    "guard.missing: the guard process %d ended with %d, no other starts: %s", ended, code, error
                )
            else:  # said once the second one knows all
                log.warning("guard.replaced: the guard process %d ended with %d", ended, code)
            self._is_closed.wait(_RESTART_DELAY)

    def _close_write_end(self) -> None:
        with _write_ends_lock:
            if self._write_end in _write_ends:
                _write_ends.discard(self._write_end)
                os.close(self._write_end)
