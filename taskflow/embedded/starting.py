"""Start a folder's server and wait until it answers. Under the folder's lock only."""

import contextlib
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import psutil

from taskflow.embedded.failures import failed, silent
from taskflow.embedded.home import DATA, State, clear, file_of, require_space, size_of, write_state
from taskflow.embedded.program import find_binary
from taskflow.embedded.server import POLL, info_of
from taskflow.embedded.socket_path import socket_path, url_of
from taskflow.errors import EmbeddedStoreError

_IDLE_PROGRAM: Final = Path(__file__).with_name("idle_program.py")


def start(home: Path, lock: Sequence[int], environ: Mapping[str, str], timeout: float, idle_s: float) -> State:
    """Start the server, which inherits the lock, and return its address and process.

    Args:
        idle_s: Seconds without a client after which the server is stopped.

    Raises:
        EmbeddedStoreError: The server ended at its start, or was silent for longer than the timeout.
    """
    binary = find_binary(environ)
    clear(home)
    require_space(home)
    socket = socket_path(home, environ)
    socket.unlink(missing_ok=True)  # a killed server leaves its socket behind
    log_from = size_of(file_of(home, "log"))
    pid = _spawn(binary, home, socket, lock)
    try:
        server = psutil.Process(pid)
    except psutil.NoSuchProcess:
        raise failed(home, binary, log_from) from None
    try:
        state = State(url_of(socket), pid)
        write_state(home, state)
        _await_ready(server, socket, home, binary, log_from, timeout)
        _watch_for_idleness(socket, idle_s)
    except BaseException:
        if _lives(server):
            server.terminate()
        raise
    return state


def _spawn(binary: Path, home: Path, socket: Path, lock: Sequence[int]) -> int:
    """Start the server through a shell that exits at once, and return the server's process id.

    The server is not a child of this process, so nothing has to wait for it and it never becomes a zombie. It has a
    session of its own and ignores SIGINT, as shells do for background commands, because Ctrl-C in the terminal that
    started it must not stop it for the others.
    """
    log = str(file_of(home, "log"))
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(home / DATA),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
        "logfile": log,
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    script = 'umask 077; log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
    try:
        shell = subprocess.run(
            ["/bin/sh", "-c", script, "sh", log, str(binary), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=lock,
            check=True,
            cwd=home,
        )
        return int(shell.stdout)
    except (OSError, ValueError, subprocess.CalledProcessError) as refused:
        raise EmbeddedStoreError(f"The embedded store could not be started with {binary}: {refused}") from refused


def _watch_for_idleness(socket: Path, idle_s: float) -> None:
    """Start the process that stops the server when nobody uses it. It inherits no lock, and is no child of this one.

    A program that embeds Python (uWSGI) names itself as ``sys.executable``. Its server runs until it is stopped.
    """
    if not Path(sys.executable or "").name.startswith("python"):
        return
    command = [sys.executable, "-I", "-S", str(_IDLE_PROGRAM), str(socket), str(idle_s)]
    with contextlib.suppress(OSError, subprocess.CalledProcessError):  # without it the server runs on
        subprocess.run(
            ["/bin/sh", "-c", '"$@" </dev/null >/dev/null 2>&1 &', "sh", *command],
            start_new_session=True,
            check=True,
            cwd="/",
        )


def _lives(process: psutil.Process) -> bool:
    """Whether the process has not ended. Not a check of its command line: a shell that becomes a server has none."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _await_ready(server: psutil.Process, socket: Path, home: Path, binary: Path, log_from: int, timeout: float) -> None:
    deadline = time.monotonic() + timeout
    while True:
        info = info_of(socket)
        if info is not None and str(info.get("loading")) == "0":
            return
        if info is not None:
            deadline = time.monotonic() + timeout  # it still loads a large file, which is not silence
        if not _lives(server):
            raise failed(home, binary, log_from)
        if time.monotonic() > deadline:
            raise silent(home)
        time.sleep(POLL)
