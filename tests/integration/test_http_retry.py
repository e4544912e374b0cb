"""``retry.http`` over real connections to a server in this process. Only the waits between tries are not real."""

import builtins
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast

import httpx
import pytest

from taskflow import DefinitionError, ResetHeader, Retry
from taskflow.retrying.blocks import BlockRetry

Answer = tuple[int, dict[str, str]] | str


class Server(ThreadingHTTPServer):
    """A server that answers with given statuses, then with 200. ``requests`` are (retry count, body)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[Answer] = []
        self.requests: list[tuple[str, bytes]] = []
        self.connections = 0
        self.released = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that have left."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        server = cast("Server", self.server)
        if self.headers.get("transfer-encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
        server.requests.append((self.headers["x-retry-count"], body))
        answer: Answer = server.answers.pop(0) if server.answers else (200, {})
        if answer == "hang":
            server.released.wait(10)
        if isinstance(answer, str):
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, headers = answer
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_GET = do_POST  # noqa: N815 - http.server's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - http.server's name
        """Print nothing."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield made
        made.released.set()
        made.shutdown()
        thread.join()


class Waits(list[float]):
    """A retry that records its waits and does not wait."""

    def __init__(self) -> None:
        super().__init__()
        self.retry = BlockRetry(random=lambda: 0.0, sleep=self.append, asleep=self.anote, now=lambda: datetime.now(UTC))

    async def anote(self, seconds: float) -> None:
        self.append(seconds)


def test_bad_statuses_are_tried_again_with_the_body_and_a_count(server: Server) -> None:
    """All tries use one connection, because dropped responses are read."""
    waits = Waits()
    server.answers = [(503, {}), (429, {})]
    with httpx.Client(transport=waits.retry.http()) as client:
        response = client.post(server.url, json={"a": 1})
    assert response.status_code == 200
    assert server.requests == [("0", b'{"a":1}'), ("1", b'{"a":1}'), ("2", b'{"a":1}')]
    assert (waits, server.connections) == ([1, 2], 1)


def test_the_last_bad_response_is_returned(server: Server) -> None:
    """The caller decides with ``raise_for_status``. A status without a rule is returned at once."""
    waits = Waits()
    server.answers = [(500, {}), (500, {}), (500, {}), (404, {})]
    with httpx.Client(transport=waits.retry.http()) as client:
        response = client.get(server.url)
        assert (response.status_code, response.text) == (500, "ok")
        assert client.get(server.url).status_code == 404
    assert len(server.requests) == 4


def test_a_reset_header_says_how_long_to_wait(server: Server) -> None:
    """There are at most ten attempts, whatever the header demands."""
    waits = Waits()
    server.answers = [(429, {"retry-after": "7"})] * 20
    with httpx.Client(transport=waits.retry.http({429: ResetHeader()})) as client:
        assert client.get(server.url).status_code == 429
    assert list(waits) == pytest.approx([7.0] * 9, abs=0.01)


def test_lost_connections_are_tried_again_and_the_last_is_raised(server: Server) -> None:
    """A connection may be refused, or dropped before the response."""
    waits = Waits()
    server.answers = ["drop", "drop"]
    with httpx.Client(transport=waits.retry.http()) as client:
        assert client.get(server.url).status_code == 200
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            with pytest.raises(httpx.ConnectError):
                client.get(f"http://127.0.0.1:{unused.getsockname()[1]}/")
    with httpx.Client(transport=waits.retry.http(connection_error=None)) as client:
        server.answers = ["drop"]
        with pytest.raises(httpx.RemoteProtocolError):
            client.get(server.url)
    assert waits == [1, 2, 1, 2]


def test_timeouts_have_a_backoff_of_their_own(server: Server) -> None:
    """httpx's timeout applies to each try."""
    waits = Waits()
    server.answers = ["hang"]
    transport = waits.retry.http(timeout=Retry(2, min_delay=9), connection_error=None)
    with httpx.Client(transport=transport, timeout=0.1) as client:
        assert client.get(server.url).status_code == 200
        server.answers = ["hang", "hang"]
        with pytest.raises(httpx.ReadTimeout):
            client.get(server.url)
    assert waits == [9, 9]


def test_a_wrong_request_is_not_tried_again() -> None:
    """It would fail in the same way."""
    waits = Waits()
    with httpx.Client(transport=waits.retry.http()) as client, pytest.raises(httpx.UnsupportedProtocol):
        client.get("gopher://127.0.0.1/")
    assert waits == []


def test_small_forms_are_sent_again_and_one_shot_streams_once(server: Server) -> None:
    """A generator is empty the second time, so the server would get half a body without an error."""
    waits = Waits()
    with httpx.Client(transport=waits.retry.http()) as client:
        server.answers = [(503, {})]
        assert client.post(server.url, files={"f": ("f.txt", b"content")}).status_code == 200
        (_, first), (_, second) = server.requests
        assert b"content" in first
        assert first == second
        server.answers, server.requests = [(503, {})], []
        assert client.post(server.url, content=iter([b"a", b"b"])).status_code == 503
    assert server.requests == [("0", b"ab")]


async def test_the_same_transport_serves_async_clients(server: Server) -> None:
    """Statuses, lost connections and forms are retried as in sync clients."""
    waits = Waits()
    server.answers = [(503, {}), "drop", (429, {})]
    transport = waits.retry.http({"429,5xx": Retry(9)})
    async with httpx.AsyncClient(transport=transport) as client:
        response = await client.post(server.url, files={"f": ("f.txt", b"content")})
    assert response.status_code == 200
    assert [count for count, _ in server.requests] == ["0", "1", "2", "3"]
    assert len({body for _, body in server.requests}) == 1
    assert waits == [1, 2, 4]


def test_without_httpx_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """httpx is an extra, and users must not have to guess its name."""
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "taskflow.retrying.transport":
            raise ModuleNotFoundError("No module named 'httpx'", name="httpx")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DefinitionError, match=r"pip install 'celery-taskflow\[http\]'"):
        Waits().retry.http()
