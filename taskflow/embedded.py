"""The embedded store: one Valkey server for each project folder, for machines with nothing on them.

``ensure_store`` attaches to the folder's server or starts it; the server outlives the process that started it. It
listens on a unix socket only, its folder belongs to the user alone, and it keeps an append-only file.

One rule makes this safe: **the server holds an exclusive lock on ``broker.lock`` for as long as it lives.** It inherits
the locked descriptor from the process that starts it. So a free lock means that no server runs, however the last one
ended, and a held one means that nobody else may touch the data; a process id that was reused or a file left behind
cannot deceive. This module must not know what is kept in the store.
"""

import contextlib
import fcntl
import hashlib
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from shlex import quote as quote_word
from typing import Final, Protocol
from urllib.parse import quote, unquote, urlsplit

import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from taskflow.embedded_program import find_binary
from taskflow.errors import EmbeddedStoreError

START_TIMEOUT: Final = 30.0
"""Seconds that a server may be silent at its start. Loading its file does not count as silence."""

STOP_TIMEOUT: Final = 30.0

_SOCKET_PATH_LIMIT: Final = 100  # bytes; sun_path holds 108 on Linux and 104 on macOS
_POLL: Final = 0.02
_FREE_BYTES: Final = 4 * 1024 * 1024
_LOCK, _STATE, _LOG, _DATA, _SOCKET = "broker.lock", "broker.json", "broker.log", "data", "store.sock"


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


@dataclass(frozen=True, slots=True)
class _State:
    """What ``broker.json`` holds: where the server is and which process it was started as."""

    url: str
    pid: int


@dataclass(frozen=True, slots=True)
class _Answer:
    """What a running server tells of itself."""

    url: str
    pid: int
    is_loading: bool
    can_write: bool


class _Client(Protocol):
    """The part of redis-py used here, which it types loosely."""

    def info(self) -> dict[str, object]: ...

    def close(self) -> None: ...


def ensure_store(home: Path, *, environ: Mapping[str, str] | None = None) -> EmbeddedStore:
    """Attach to the folder's server, or start it and wait until it answers.

    Any number of processes may call this at once; one server results. Blocks, for well under a second as a rule.

    Args:
        home: The project's ``.taskflow`` folder; made when missing.
        environ: Where ``PATH``, ``TMPDIR`` and ``XDG_RUNTIME_DIR`` are looked up; the process's own by default.

    Raises:
        EmbeddedStoreError: No server program was found, or it did not start or does not answer; the message has the
            end of its log and what to do.
    """
    environ = os.environ if environ is None else environ
    home = _prepare_home(home)
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        with _open_lock(home) as lock:
            if _try_lock(lock):
                return _start(home, lock, environ)
        answer = _ask(home, environ)
        if answer is not None and not answer.can_write:
            raise _disk_full(home)
        if answer is not None and not answer.is_loading:
            return EmbeddedStore(answer.url, answer.pid, started=False)
        if answer is not None:
            deadline = time.monotonic() + START_TIMEOUT
        if time.monotonic() > deadline:
            raise _silent(home)
        time.sleep(_POLL)


def stop_store(home: Path, *, timeout: float = STOP_TIMEOUT) -> bool:
    """Stop the folder's server (SIGTERM: it writes everything first) and wait for its end.

    Returns:
        Whether one was running.

    Raises:
        EmbeddedStoreError: It could not be identified, or was still running after ``timeout`` seconds.
    """
    home = home.absolute()
    if not (home / _LOCK).exists():
        return False
    deadline = time.monotonic() + timeout
    with _open_lock(home) as lock:
        while True:
            if _try_lock(lock):
                _clear(home)
                return False
            server = _identify(home)
            if server is not None:
                break
            if time.monotonic() > deadline:  # until then it may be starting, or ending
                raise _silent(home)
            time.sleep(_POLL)
        os.kill(server.pid, signal.SIGTERM)
        while _is_server(server.pid, _socket_of(server.url)):
            if time.monotonic() > deadline:
                raise EmbeddedStoreError(
                    f"The embedded store of {home} (process {server.pid}) did not stop within {timeout:g} s of "
                    f"SIGTERM. Look at {home / _LOG}; `kill -9 {server.pid}` ends it and may lose its last second."
                )
            time.sleep(_POLL)
        if _try_lock(lock):
            _clear(home)
    return True


# --- the folder -------------------------------------------------------------------------------------------------------


def _prepare_home(home: Path) -> Path:
    home = home.absolute()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / _DATA).mkdir(mode=0o700, exist_ok=True)
    except OSError as refused:
        raise _unwritable(home, refused) from refused
    return home


@contextlib.contextmanager
def _open_lock(home: Path) -> Generator[int]:
    """Open the lock file. Closing it frees the lock only when no server has inherited it."""
    try:
        descriptor = os.open(home / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as refused:
        raise _unwritable(home, refused) from refused
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read_state(home: Path) -> _State | None:
    try:
        stored = json.loads((home / _STATE).read_text())
        return _State(str(stored["url"]), int(stored["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not written yet, or by something else: the lock tells whether a server runs


def _write_state(home: Path, state: _State) -> None:
    unfinished = home / f"{_STATE}.{os.getpid()}"
    unfinished.write_text(json.dumps({"url": state.url, "pid": state.pid}))
    unfinished.replace(home / _STATE)


def _clear(home: Path) -> None:
    """Remove what a server that has ended left. Under the lock only."""
    state = _read_state(home)
    if state is not None:
        with contextlib.suppress(OSError):
            _socket_of(state.url).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (home / _STATE).unlink(missing_ok=True)


def _require_space(home: Path) -> None:
    """Write and sync a few megabytes: a server on a full disk fails later, without a word of why."""
    probe = home / f"space.{os.getpid()}"
    try:
        with probe.open("wb") as file:
            file.write(bytes(_FREE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as refused:
        raise _unwritable(home, refused) from refused
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


# --- the socket -------------------------------------------------------------------------------------------------------


def _socket_path(home: Path, environ: Mapping[str, str]) -> Path:
    """Return where the folder's server listens: in the folder, or elsewhere when that path is too long for a socket."""
    path = home / _SOCKET
    if _fits(path):
        return path
    digest = hashlib.sha256(os.fsencode(home)).hexdigest()[:16]  # the project's own, and the same at every call
    for base in (environ.get("XDG_RUNTIME_DIR"), environ.get("TMPDIR"), tempfile.gettempdir(), "/tmp"):
        path = Path(base or "/tmp") / f"taskflow-{os.getuid()}" / f"{digest}.sock"
        if _fits(path) and _make_private(path.parent):
            return path
    raise EmbeddedStoreError(
        f"The path of {home} is too long for a unix socket, and neither XDG_RUNTIME_DIR, TMPDIR nor /tmp offers a "
        "folder of our own. Set TASKFLOW_HOME to a shorter path, or TASKFLOW_REDIS_URL to a Redis or Valkey of yours."
    )


def _fits(path: Path) -> bool:
    return len(os.fsencode(path)) <= _SOCKET_PATH_LIMIT


def _make_private(folder: Path) -> bool:
    """Make the folder; False when it cannot be ours alone (somebody else may have made it first in /tmp)."""
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        found = folder.lstat()
    except OSError:
        return False
    return folder.is_dir() and not folder.is_symlink() and found.st_uid == os.getuid() and not found.st_mode & 0o077


def _url_of(socket: Path) -> str:
    return f"unix://{quote(str(socket))}?db=0"


def _socket_of(url: str) -> Path:
    return Path(unquote(urlsplit(url).path))


# --- the running server -----------------------------------------------------------------------------------------------


def _ask(home: Path, environ: Mapping[str, str]) -> _Answer | None:
    """Ask the server where it was recorded and (its starter may have died first) where it would be put."""
    state = _read_state(home)
    expected = _url_of(_socket_path(home, environ))
    for url in dict.fromkeys([state.url, expected] if state else [expected]):
        info = _info(_socket_of(url))
        if info is None:
            continue
        can_write = info.get("aof_last_write_status", "ok") == "ok"
        return _Answer(url, int(str(info["process_id"])), str(info.get("loading")) == "1", can_write)
    return None


def _info(socket: Path) -> dict[str, object] | None:
    """Return what INFO says (it answers while loading, too), None when nobody answers."""
    client = _connect(socket)
    try:
        return client.info()
    except (redis.RedisError, OSError):
        return None
    finally:
        client.close()


def _connect(socket: Path) -> _Client:
    # Without redis-py's retries: the callers ask again, and a killed server's socket refuses at once.
    never = Retry(NoBackoff(), retries=0)
    return redis.Redis(unix_socket_path=str(socket), socket_timeout=2, socket_connect_timeout=2, retry=never)


def _identify(home: Path) -> _State | None:
    """Return where the server is and its process: as it answers, or as recorded if that process is still the server."""
    answer = _ask(home, os.environ)
    state = _read_state(home) if answer is None else _State(answer.url, answer.pid)
    return state if state is not None and _is_server(state.pid, _socket_of(state.url)) else None


def _is_server(pid: int, socket: Path) -> bool:
    """Whether the process lives and is the server of this socket, which its command line names."""
    try:
        return any(str(socket) in part for part in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False


# --- starting ---------------------------------------------------------------------------------------------------------


def _start(home: Path, lock: int, environ: Mapping[str, str]) -> EmbeddedStore:
    """Start the server, which inherits the lock. Under the lock."""
    binary = find_binary(environ)
    _clear(home)
    _require_space(home)
    socket = _socket_path(home, environ)
    socket.unlink(missing_ok=True)  # left by a server that was killed
    log_from = _size(home / _LOG)
    pid = _spawn(binary, home, socket, lock)
    try:
        _write_state(home, _State(_url_of(socket), pid))
        _await_ready(pid, socket, home, binary, log_from)
    except BaseException:
        if _is_server(pid, socket):
            os.kill(pid, signal.SIGTERM)
        raise
    return EmbeddedStore(_url_of(socket), pid, started=True)


def _spawn(binary: Path, home: Path, socket: Path, lock: int) -> int:
    """Start the server through a shell that exits at once, so that it is nobody's child: no zombie, no wait.

    In a session of its own, and with SIGINT ignored as shells do for background commands: Ctrl-C in the terminal that
    happened to start it must not stop it for the others.
    """
    options = {
        "port": "0",
        "unixsocket": str(socket),
        "unixsocketperm": "700",
        "dir": str(home / _DATA),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
        "logfile": str(home / _LOG),
    }
    arguments = [part for name, value in options.items() for part in (f"--{name}", value)]
    script = 'log=$1; shift; "$@" </dev/null >>"$log" 2>&1 & echo $!'
    try:
        shell = subprocess.run(
            ["/bin/sh", "-c", script, "sh", str(home / _LOG), str(binary), *arguments],
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


def _await_ready(pid: int, socket: Path, home: Path, binary: Path, log_from: int) -> None:
    deadline = time.monotonic() + START_TIMEOUT
    while True:
        info = _info(socket)
        if info is not None and str(info.get("loading")) == "0":
            return
        if info is not None:
            deadline = time.monotonic() + START_TIMEOUT  # a large file: it goes on
        if not _is_server(pid, socket):
            raise _failed(home, binary, log_from)
        if time.monotonic() > deadline:
            raise _silent(home)
        time.sleep(_POLL)


# --- what went wrong --------------------------------------------------------------------------------------------------


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _log_end(home: Path, start: int = 0, lines: int = 10) -> str:
    try:
        with (home / _LOG).open("rb") as file:
            file.seek(max(start, _size(home / _LOG) - 8192))
            found = file.read().decode(errors="replace").splitlines()[-lines:]
    except OSError:
        found = []
    return "\n".join(f"    {line}" for line in found) or "    (its log is empty)"


def _unwritable(home: Path, refused: OSError) -> EmbeddedStoreError:
    return EmbeddedStoreError(
        f"The embedded store cannot write to {home}: {refused.strerror or refused}. Free some space or make the folder "
        "writable, or set TASKFLOW_HOME to another folder, or TASKFLOW_REDIS_URL to a Redis or Valkey of yours."
    )


def _disk_full(home: Path) -> EmbeddedStoreError:
    return EmbeddedStoreError(
        f"The embedded store of {home} runs but cannot write its file, so it refuses every change; the disk is "
        f"probably full.\n{_log_end(home)}\nFree some space: it goes on by itself."
    )


def _failed(home: Path, binary: Path, log_from: int) -> EmbeddedStoreError:
    log = _log_end(home, log_from)
    remedy = f"The whole log is {home / _LOG}."
    if "append only file" in log or "AOF" in log:
        remedy = (
            f"Its data in {home / _DATA} is damaged. {_repair(home, binary, log)}To start empty, remove that folder."
        )
    return EmbeddedStoreError(f"The embedded store of {home} ({binary}) ended at its start:\n{log}\n{remedy}")


def _repair(home: Path, binary: Path, log: str) -> str:
    """Return the command that cuts a file off where the damage begins. The server is its own checker, by that name."""
    found = re.search(r"append only file (\S+\.incr\.aof)", log)
    if found is None:
        return ""
    # Not the manifest, as the log suggests: Valkey 9.1's checker does not know the base file of Valkey 9.1.
    damaged = home / _DATA / "appendonlydir" / found[1]
    command = f"exec -a valkey-check-aof {quote_word(str(binary))} --fix {quote_word(str(damaged))}"
    return f"To repair it (what follows the damage is lost): `bash -c {quote_word(command)}`. "


def _silent(home: Path) -> EmbeddedStoreError:
    state = _read_state(home)
    who = "of unknown process" if state is None else f"(process {state.pid})"
    return EmbeddedStoreError(
        f"The embedded store of {home} {who} holds {home / _LOCK} but does not answer; it may be stopped or "
        f"overloaded. The end of its log:\n{_log_end(home)}\nEnd that process, or wait, and try again."
    )
