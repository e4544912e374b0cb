"""Attaching to a folder's server, starting it and stopping it."""

import os
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from taskflow.embedded.failures import disk_full, silent
from taskflow.embedded.home import DATA, clear, file_of, has_lock, open_lock, prepare_home, try_lock
from taskflow.embedded.server import POLL, ask, identify, info_of, is_server
from taskflow.embedded.socket_path import socket_of
from taskflow.embedded.starting import start
from taskflow.errors import EmbeddedStoreError

START_TIMEOUT: Final = 30.0
STOP_TIMEOUT: Final = 30.0
_STATUS_PATIENCE_S: Final = 2.0
IDLE_S: Final = 3600.0
"""Seconds without a client after which a server ends."""


@dataclass(frozen=True, slots=True)
class EmbeddedStore:
    """A running server.

    Attributes:
        url: ``unix:///path?db=0``, as redis-py takes it.
        pid: The id of the server's process.
        started: Whether this call started the server; False when the server ran already.
    """

    url: str
    pid: int
    started: bool


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """A running server, for people.

    Attributes:
        clients: Connections, without those that look after the server or ask for this.
        disk_bytes: The size of its files.
    """

    url: str
    pid: int
    version: str
    uptime_s: int
    clients: int
    memory_bytes: int
    disk_bytes: int


def store_status(home: Path) -> StoreStatus | None:
    """Return the state of the folder's server, None when none runs. Starts nothing.

    Raises:
        EmbeddedStoreError: The server runs and does not answer.
    """
    home = home.absolute()
    if not has_lock(home):
        return None
    deadline = time.monotonic() + _STATUS_PATIENCE_S
    while True:
        with open_lock(home) as lock:
            if try_lock(lock):
                return None
        answer = ask(home, os.environ)
        info = None if answer is None else info_of(socket_of(answer.url))
        if answer is not None and info is not None:
            break
        if time.monotonic() > deadline:
            raise silent(home)
        time.sleep(POLL)  # a server that ends closes its socket before its last thread gives up the lock
    return StoreStatus(
        url=answer.url,
        pid=answer.pid,
        version=str(info.get("valkey_version") or info.get("redis_version")),
        uptime_s=int(str(info["uptime_in_seconds"])),
        clients=max(0, int(str(info["connected_clients"])) - 2),
        memory_bytes=int(str(info["used_memory"])),
        disk_bytes=sum(file.stat().st_size for file in (home / DATA).rglob("*") if file.is_file()),
    )


def ensure_store(
    home: Path,
    *,
    environ: Mapping[str, str] | None = None,
    timeout: float = START_TIMEOUT,
    idle_s: float = IDLE_S,
) -> EmbeddedStore:
    """Attach to the folder's server, or start it and wait until it answers.

    Any number of processes may call this at once; one server results. Blocks, usually for well under a second.

    Args:
        home: The project's ``.taskflow`` folder; made when missing.
        environ: Environment in which ``PATH``, ``TMPDIR`` and ``XDG_RUNTIME_DIR`` are looked up; by default the
            environment of this process.
        timeout: Seconds for which the server may be silent. Loading its file does not count as silence.
        idle_s: Seconds without a client after which a server that this call starts ends by itself.

    Raises:
        EmbeddedStoreError: No server program was found, or the server did not start or does not answer. The message
            has the end of its log and a remedy.
    """
    environ = os.environ if environ is None else environ
    home = prepare_home(home)
    deadline = time.monotonic() + timeout
    while True:
        with open_lock(home) as lock:
            if try_lock(lock):
                state = start(home, lock, environ, timeout, idle_s)
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
    """Stop the folder's server with SIGTERM, at which it writes everything to its file, and wait for its end.

    Returns:
        Whether a server was running.

    Raises:
        EmbeddedStoreError: The server could not be identified, or was still running after ``timeout`` seconds.
    """
    home = home.absolute()
    if not has_lock(home):
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
            if time.monotonic() > deadline:  # until then the server may be starting or ending
                raise silent(home)
            time.sleep(POLL)
        os.kill(server.pid, signal.SIGTERM)
        while is_server(server.pid, socket_of(server.url)):
            if time.monotonic() > deadline:
                raise EmbeddedStoreError(
                    f"The embedded store of {home} (process {server.pid}) did not stop within {timeout:g} s of "
                    f"SIGTERM. Look at {file_of(home, 'log')}; `kill -9 {server.pid}` ends it and may lose its last "
                    "second."
                )
            time.sleep(POLL)
        while not (is_free := try_lock(lock)) and identify(home) is None and time.monotonic() < deadline:
            time.sleep(POLL)  # a process that ends has lost its memory before its locks
        if is_free:  # else somebody has started another server
            clear(home)
    return True
