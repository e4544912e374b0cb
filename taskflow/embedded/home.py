"""The project's folder: the lock that its server holds, the record of that server, and the check for free space."""

import contextlib
import fcntl
import json
import os
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from taskflow.embedded.socket_path import socket_of
from taskflow.errors import EmbeddedStoreError
from taskflow.project import make_private

DATA: Final = "data"
_NAME: Final = "store"
_PREVIOUS_NAME: Final = "broker"
"""The files' name in the previous release. A server that it started is used until it stops."""
_FREE_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class State:
    """The content of ``store.json``: the address of the server and the id of its process."""

    url: str
    pid: int


def file_of(home: Path, kind: str) -> Path:
    """Return the path of the server's ``lock``, ``log`` or ``json``.

    While the only record is that of a server of the previous release, this is the file under its previous name.
    """
    current, previous = home / f"{_NAME}.json", home / f"{_PREVIOUS_NAME}.json"
    is_previous = previous.exists() and not current.exists()
    return home / f"{_PREVIOUS_NAME if is_previous else _NAME}.{kind}"


def has_lock(home: Path) -> bool:
    """Whether a server was ever started in the folder."""
    return any((home / f"{name}.lock").exists() for name in (_NAME, _PREVIOUS_NAME))


def prepare_home(home: Path) -> Path:
    home = home.absolute()
    try:
        make_private(home)
        make_private(home / DATA)
    except OSError as refused:
        raise unwritable(home, refused) from refused
    return home


@contextlib.contextmanager
def open_lock(home: Path) -> Generator[Sequence[int]]:
    """Open the lock file, also that of the previous release where it exists.

    Closing the files frees the lock only when no server has inherited it. The server inherits both, so that neither
    release starts a second server beside one of the other's.
    """
    flags = os.O_RDWR | os.O_CLOEXEC
    descriptors: list[int] = []
    try:
        try:
            with contextlib.suppress(FileNotFoundError):
                descriptors.append(os.open(home / f"{_PREVIOUS_NAME}.lock", flags))
            descriptors.append(os.open(home / f"{_NAME}.lock", flags | os.O_CREAT, 0o600))
        except OSError as refused:
            raise unwritable(home, refused) from refused
        yield descriptors
    finally:
        for descriptor in descriptors:
            os.close(descriptor)


def try_lock(lock: Sequence[int]) -> bool:
    """Lock all of the opened files or none of them. Returns whether they are locked."""
    try:
        for descriptor in lock:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        for descriptor in lock:
            fcntl.flock(descriptor, fcntl.LOCK_UN)
        return False
    return True


def read_state(home: Path) -> State | None:
    try:
        stored = json.loads(file_of(home, "json").read_text())
        return State(str(stored["url"]), int(stored["pid"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None  # not written yet, or damaged: only the lock shows whether a server runs


def write_state(home: Path, state: State) -> None:
    unfinished = home / f"{_NAME}.json.{os.getpid()}"
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        json.dump({"url": state.url, "pid": state.pid}, file)
    unfinished.replace(home / f"{_NAME}.json")


def clear(home: Path) -> None:
    """Remove the socket and the record of a server that has ended. Under the lock only."""
    state = read_state(home)
    if state is not None:
        with contextlib.suppress(OSError):
            socket_of(state.url).unlink(missing_ok=True)
    for name in (_NAME, _PREVIOUS_NAME):
        with contextlib.suppress(OSError):
            (home / f"{name}.json").unlink(missing_ok=True)


def require_space(home: Path) -> None:
    """Write and sync 4 MB, because a server on a full disk would fail later and without a reason in its log."""
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
