"""The project's folder: the lock that says whether a server runs, what is recorded of it, and room to write."""

import contextlib
import fcntl
import json
import os
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from taskflow.embedded.socket_path import socket_of
from taskflow.errors import EmbeddedStoreError

LOCK: Final = "broker.lock"
LOG: Final = "broker.log"
DATA: Final = "data"
_STATE: Final = "broker.json"
_FREE_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class State:
    """What ``broker.json`` holds: where the server is and which process it was started as."""

    url: str
    pid: int


def prepare_home(home: Path) -> Path:
    home = home.absolute()
    try:
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        (home / DATA).mkdir(mode=0o700, exist_ok=True)
    except OSError as refused:
        raise unwritable(home, refused) from refused
    return home


@contextlib.contextmanager
def open_lock(home: Path) -> Generator[int]:
    """Open the lock file. Closing it frees the lock only when no server has inherited it."""
    try:
        descriptor = os.open(home / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as refused:
        raise unwritable(home, refused) from refused
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def read_state(home: Path) -> State | None:
    try:
        stored = json.loads((home / _STATE).read_text())
        return State(str(stored["url"]), int(stored["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not written yet, or by something else: the lock tells whether a server runs


def write_state(home: Path, state: State) -> None:
    unfinished = home / f"{_STATE}.{os.getpid()}"
    unfinished.write_text(json.dumps({"url": state.url, "pid": state.pid}))
    unfinished.replace(home / _STATE)


def clear(home: Path) -> None:
    """Remove what a server that has ended left. Under the lock only."""
    state = read_state(home)
    if state is not None:
        with contextlib.suppress(OSError):
            socket_of(state.url).unlink(missing_ok=True)
    with contextlib.suppress(OSError):
        (home / _STATE).unlink(missing_ok=True)


def require_space(home: Path) -> None:
    """Write and sync a few megabytes: a server on a full disk fails later, without a word of why."""
    probe = home / f"space.{os.getpid()}"
    try:
        with probe.open("wb") as file:
            file.write(bytes(_FREE_BYTES))
            file.flush()
            os.fsync(file.fileno())
    except OSError as refused:
        raise unwritable(home, refused) from refused
    finally:
        with contextlib.suppress(OSError):
            probe.unlink(missing_ok=True)


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def unwritable(home: Path, refused: OSError) -> EmbeddedStoreError:
    return EmbeddedStoreError(
        f"The embedded store cannot write to {home}: {refused.strerror or refused}. Free some space or make the folder "
        "writable, or set TASKFLOW_HOME to another folder, or TASKFLOW_REDIS_URL to a Redis or Valkey of yours."
    )
