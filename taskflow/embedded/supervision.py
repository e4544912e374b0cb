"""Attach to a folder's server, start it, stop it."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from taskflow.embedded.failures import disk_full, silent
from taskflow.embedded.home import LOCK, LOG, clear, open_lock, prepare_home, try_lock
from taskflow.embedded.server import POLL, ask, identify, is_server
from taskflow.embedded.socket_path import socket_of
from taskflow.embedded.starting import start
from taskflow.errors import EmbeddedStoreError

START_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 30.0


@dataclass(frozen=True, slots=True)
class EmbeddedStore:
    """A running server.

    Attributes:
        url: ``unix:///path?db=0``, as redis-py takes it.
        pid: Its process.
        started: Whether this call started it; False when it ran already.
    """

    url: str
    pid: int
    started: bool


def ensure_store(
    home: Path, *, environ: Mapping[str, str] | None = None, timeout: float = START_TIMEOUT
) -> EmbeddedStore:
    """Attach to the folder's server, or start it and wait until it answers.

    Any number of processes may call this at once; one server results. Blocks, for well under a second as a rule.

    Args:
        home: The project's ``.taskflow`` folder; made when missing.
        environ: Where ``PATH``, ``TMPDIR`` and ``XDG_RUNTIME_DIR`` are looked up; the process's own by default.
        timeout: Seconds for which the server may be silent. Loading its file does not count as silence.

    Raises:
        EmbeddedStoreError: No server program was found, or it did not start or does not answer; the message has the
            end of its log and what to do.
    """
    environ = os.environ if environ is None else environ
    home = prepare_home(home)
    deadline = time.monotonic() + timeout
    while True:
        with open_lock(home) as lock:
            if try_lock(lock):
                state = start(home, lock, environ, timeout)
                return EmbeddedStore(state.url, state.pid, started=True)
        answer = ask(home, environ)
        if answer is not None and not answer.can_write:
            raise disk_full(home)
        if answer is not None and not answer.is_loading:
            return EmbeddedStore(answer.url, answer.pid, started=False)
        if answer is not None:
            deadline = time.monotonic() + timeout
        if time.monotonic() > deadline:
            raise silent(home)
        time.sleep(POLL)


def stop_store(home: Path, *, timeout: float = STOP_TIMEOUT) -> bool:
    """Stop the folder's server (SIGTERM: it writes everything first) and wait for its end.

    Returns:
        Whether one was running.

    Raises:
        EmbeddedStoreError: It could not be identified, or was still running after ``timeout`` seconds.
    """
    home = home.absolute()
    if not (home / LOCK).exists():
        return False
    deadline = time.monotonic() + timeout
    with open_lock(home) as lock:
        while True:
            if try_lock(lock):
                clear(home)
                return False
            server = identify(home)
            if server is not None:
                break
            if time.monotonic() > deadline:  # until then it may be starting, or ending
                raise silent(home)
            time.sleep(POLL)
        os.kill(server.pid, signal.SIGTERM)
        while is_server(server.pid, socket_of(server.url)):
            if time.monotonic() > deadline:
                raise EmbeddedStoreError(
                    f"The embedded store of {home} (process {server.pid}) did not stop within {timeout:g} s of "
                    f"SIGTERM. Look at {home / LOG}; `kill -9 {server.pid}` ends it and may lose its last second."
                )
            time.sleep(POLL)
        if try_lock(lock):
            clear(home)
    return True
