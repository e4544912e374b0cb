"""The running server: its answer to INFO, and the check that a process is this server."""

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
"""Seconds between two checks while a server starts, loads its file or ends."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The state of a server that answers."""

    url: str
    pid: int
    is_loading: bool
    can_write: bool


class _Client(Protocol):
    """The methods of redis-py's client that this module uses. redis-py types them loosely."""

    def info(self) -> dict[str, object]: ...

    def close(self) -> None: ...


def ask(home: Path, environ: Mapping[str, str]) -> Answer | None:
    """Return the state of the folder's server, None when no server answers.

    The recorded address is tried first, then the address that a new server would get: the process that started the
    server may have died before it wrote the record.
    """
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
    """Return the reply to INFO, also from a server that still loads its file; None when no server answers."""
    client = _connect(socket)
    try:
        return client.info()
    except (redis.RedisError, OSError):
        return None
    finally:
        client.close()


def _connect(socket: Path) -> _Client:
    # Without redis-py's retries, because the callers try again and the socket of a killed server refuses at once.
    never = Retry(NoBackoff(), retries=0)
    return redis.Redis(unix_socket_path=str(socket), socket_timeout=2, socket_connect_timeout=2, retry=never)


def identify(home: Path) -> State | None:
    """Return the server's address and process, None when no process can be identified as the server.

    Both come from the server's answer. When it does not answer they come from the record, provided that the recorded
    process is still this server.
    """
    answer = ask(home, os.environ)
    state = read_state(home) if answer is None else State(answer.url, answer.pid)
    return state if state is not None and is_server(state.pid, socket_of(state.url)) else None


def is_server(pid: int, socket: Path) -> bool:
    """Whether the process lives and its command line names this socket."""
    try:
        return any(str(socket) in part for part in psutil.Process(pid).cmdline())
    except psutil.Error:
        return False
