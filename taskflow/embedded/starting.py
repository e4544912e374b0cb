"""Start a folder's server and wait until it answers. Under the folder's lock only."""

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import psutil

from taskflow.embedded.failures import failed, silent
from taskflow.embedded.home import DATA, LOG, State, clear, require_space, size_of, write_state
from taskflow.embedded.program import find_binary
from taskflow.embedded.server import POLL, info_of
from taskflow.embedded.socket_path import socket_path, url_of
from taskflow.errors import EmbeddedStoreError


def start(home: Path, lock: int, environ: Mapping[str, str], timeout: float) -> State:
    """Start the server, which inherits the lock, and return where it is.

    Raises:
        EmbeddedStoreError: It ended at its start, or was silent for longer than the timeout.
    """
    binary = find_binary(environ)
    clear(home)
    require_space(home)
    socket = socket_path(home, environ)
    socket.unlink(missing_ok=True)  # left by a server that was killed
    log_from = size_of(home / LOG)
    pid = _spawn(binary, home, socket, lock)
    try:
        server = psutil.Process(pid)
    except psutil.NoSuchProcess:
        raise failed(home, binary, log_from) from None
    try:
        state = State(url_of(socket), pid)
        write_state(home, state)
        _await_ready(server, socket, home, binary, log_from, timeout)
    except BaseException:
        if _lives(server):
            server.terminate()
        raise
    return state


def _spawn(binary: Path, home: Path, socket: Path, lock: int) -> int:
    """Start the server through a shell that exits at once, so that it is nobody's child: no zombie, no wait.

    In a session of its own, and with SIGINT ignored as shells do for background commands: Ctrl-C in the terminal that
    happened to start it must not stop it for the others.
    """
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
        "logfile": str(home / LOG),
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    script = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
    try:
        shell = subprocess.run(
            ["/bin/sh", "-c", script, "sh", str(home / LOG), str(binary), *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            pass_fds=(lock,),
            check=True,
            cwd=home,
        )
        return int(shell.stdout)
    except (OSError, ValueError, subprocess.CalledProcessError) as refused:
        raise EmbeddedStoreError(f"The embedded store could not be started with {binary}: {refused}") from refused


def _lives(process: psutil.Process) -> bool:
    """Whether it has not ended, whatever it executes: while a shell becomes a server it has no command line."""
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
            deadline = time.monotonic() + timeout  # a large file: it goes on
        if not _lives(server):
            raise failed(home, binary, log_from)
        if time.monotonic() > deadline:
            raise silent(home)
        time.sleep(POLL)
