"""The running server: what it tells of itself, and whether a process is it."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from taskflow.embedded.home import State, read_state
from taskflow.embedded.socket_path import socket_of, socket_path, url_of

POLL: Final = 0.02
"""Seconds between two looks at a server that is to start, to answer or to end."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a running server tells of itself."""

    url: str
    pid: int
    is_loading: bool
    can_write: bool


class _Client(Protocol):
    """The part of redis-py used here, which it types loosely."""

    def info(self) -> dict[str, object]: ...

    def close(self) -> None: ...


def ask(home: Path, environ: Mapping[str, str]) -> Answer | None:
    """Ask the server where it was recorded and (its starter may have died first) where it would be put."""
    state = read_state(home)
    expected = url_of(socket_path(home, environ))
    for url in dict.fromkeys([state.url, expected] if state else [expected]):
        info = info_of(socket_of(url))
        if info is None:
            continue
        can_write = info.get("aof_last_write_status", "ok") == "ok"
        return Answer(url, int(str(info["process_id"])), str(info.get("loading")) == "1", can_write)
    return None


def info_of(socket: Path) -> dict[str, object] | None:
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


def identify(home: Path) -> State | None:
    """Return where the server is and its process: as it answers, or as recorded if that process is still the server."""
    answer = ask(home, os.environ)
    state = read_state(home) if answer is None else State(answer.url, answer.pid)
    return state if state is not None and is_server(state.pid, socket_of(state.url)) else None


def is_server(pid: int, socket: Path) -> bool:
    """Whether the process lives and is the server of this socket, which its command line names."""
    try:
        return any(str(socket) in part for part in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
