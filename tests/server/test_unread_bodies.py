"""Bodies that go on when the answer is known: the client gets the answer, and cannot send for ever."""

import socket
from collections.abc import Generator, Iterator
from contextlib import contextmanager

import pytest

from tests.conftest import StartFleet
from tests.support.api_server import ApiServer
from tests.support.servers import HOST, RedisServer

_PART = b"10000\r\n" + b" " * 65536 + b"\r\n"
_MOST = 200_000_000
_TRIGGER = "/api/v1/tasks/f-echo/trigger"
_REFUSED = b"HTTP/1.1 401 "


@pytest.fixture
def server(start_fleet: StartFleet, valkey: RedisServer) -> Iterator[ApiServer]:
    """A server process with a short patience."""
    server = ApiServer(start_fleet(valkey.url), TASKFLOW_SERVER_BODY_TIMEOUT="1s")
    server.start()
    yield server
    server.close()


@contextmanager
def _sent(server: ApiServer, path: str, *headers: str) -> Generator[socket.socket]:
    with socket.create_connection((HOST, server.port), timeout=20) as connection:
        lines = [f"POST {path} HTTP/1.1", "Host: x", *headers, "", ""]
        connection.sendall("\r\n".join(lines).encode())
        yield connection


def _send_much(connection: socket.socket) -> None:
    for _ in range(_MOST // len(_PART)):
        connection.sendall(_PART)


def _rest(connection: socket.socket) -> bytes:
    """Return what comes until the server closes."""
    received = b""
    while part := connection.recv(65536):
        received += part
    return received


def test_a_body_without_an_end_ends_with_the_connection(server: ApiServer) -> None:
    """Also where nobody reads it: without a key, on a route without a body, on a path that does not exist."""
    for path in (_TRIGGER, "/api/v1/runs/none/cancel", "/nothing"):
        with _sent(server, path, "Transfer-Encoding: chunked") as connection, pytest.raises(ConnectionError):
            _send_much(connection)


def test_a_refusal_is_read_whatever_the_body_does(server: ApiServer) -> None:
    """One that stops is not waited for, one that waits to be asked for is not, and one that was sent costs nothing."""
    with _sent(server, _TRIGGER, "Content-Length: 5") as connection:
        connection.sendall(b"{")
        assert _rest(connection).startswith(_REFUSED)
    with _sent(server, _TRIGGER, "Content-Length: 5", "Expect: 100-continue") as connection:
        assert _rest(connection).startswith(_REFUSED)
    with _sent(server, _TRIGGER, "Content-Length: 2") as connection:
        connection.sendall(b"{}GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        received = _rest(connection)
    assert received.startswith(_REFUSED)
    assert b"HTTP/1.1 200 " in received, "the next request needs no new connection"
