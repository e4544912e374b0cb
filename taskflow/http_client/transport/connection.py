"""The two shells: they send requests over httpx, blocking or in an event loop, and try again what may pass."""

import asyncio
import contextlib
import os
import ssl
import threading
import time
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeVar

import httpx

from taskflow.errors import ServerUnavailableError
from taskflow.http_client.transport.address import ServerAddress
from taskflow.http_client.transport.api_request import ApiAnswer, ApiRequest
from taskflow.http_client.transport.refusals import misread, refusal
from taskflow.http_client.transport.tries import Tries

T = TypeVar("T")
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout)
_REQUESTS: Final = httpx.Limits(max_connections=32, max_keepalive_connections=32, keepalive_expiry=4.0)
"""Requests beyond wait for a connection, however long: each is answered soon. Servers close idle ones after 5 s."""
_STREAMS: Final = httpx.Limits(max_connections=None, max_keepalive_connections=0)
_REFUSAL_BYTES: Final = 65_536


class Connection:
    """Sends requests of threads. A forked child makes connections of its own."""

    def __init__(self, address: ServerAddress) -> None:
        self.address: Final = address
        self._lock = threading.Lock()
        self._opened: tuple[int, httpx.Client, httpx.Client] | None = None
        self._is_closed = False

    def send(self, request: ApiRequest[T]) -> T:
        """Return the result of a request.

        Raises:
            TaskflowError: The server refused it, or did not answer.
        """
        tries = Tries(request, self.address.url)
        while True:
            try:
                answer = self._exchange(request)
            except httpx.RequestError as error:
                pause = tries.after_failure(
                    _reason(error), was_sent=not isinstance(error, _NOT_SENT), is_final=_is_final(error)
                )
            else:
                if answer.status < 300:
                    return _read(request, answer, self.address.url)
                pause = tries.after_refusal(answer)
            time.sleep(pause)

    @contextlib.contextmanager
    def streaming(self, request: ApiRequest[Any]) -> Generator[Iterator[str]]:
        """Open an answer that goes on, and give its lines.

        Raises:
            TaskflowError: The server refused it.
            ConnectionError: The connection failed, at its begin or within the lines.
        """
        with _connection_errors(), self._clients()[1].stream(**_arguments(self.address, request)) as response:
            if response.status_code >= 300:
                body = b"".join(_begin(response.iter_bytes()))
                raise _refused(request, _answer(response, body), self.address.url)
            yield response.iter_lines()

    def close(self) -> None:
        """Close the connections. Later requests are refused."""
        with self._lock:
            self._is_closed = True
            opened, self._opened = self._opened, None
        if opened and opened[0] == os.getpid():
            for client in opened[1:]:
                client.close()

    def _exchange(self, request: ApiRequest[Any]) -> ApiAnswer:
        response = self._clients()[0].request(**_arguments(self.address, request))
        return _answer(response, response.content)

    def _clients(self) -> tuple[httpx.Client, httpx.Client]:
        """Return the client for requests and the one for streams, which would use up the connections of the other."""
        opened = self._opened
        if opened is not None and opened[0] == os.getpid():
            return opened[1:]
        with self._lock:
            if self._is_closed:
                raise ServerUnavailableError(self.address.url, "its client was closed")
            if self._opened is None or self._opened[0] != os.getpid():
                self._opened = (
                    os.getpid(),
                    httpx.Client(limits=_REQUESTS, verify=_tls()),
                    httpx.Client(limits=_STREAMS, verify=_tls()),
                )
            return self._opened[1:]


class AsyncConnection:
    """Sends requests of coroutines, over connections of each event loop's own."""

    def __init__(self, address: ServerAddress) -> None:
        self.address: Final = address
        self._lock = threading.Lock()
        self._opened: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Opened] = weakref.WeakKeyDictionary()

    async def send(self, request: ApiRequest[T]) -> T:
        """Return the result of a request. See ``Connection.send``."""
        tries = Tries(request, self.address.url)
        while True:
            try:
                response = await self._clients().requests.request(**_arguments(self.address, request))
                answer = _answer(response, response.content)
            except httpx.RequestError as error:
                pause = tries.after_failure(
                    _reason(error), was_sent=not isinstance(error, _NOT_SENT), is_final=_is_final(error)
                )
            else:
                if answer.status < 300:
                    return _read(request, answer, self.address.url)
                pause = tries.after_refusal(answer)
            await asyncio.sleep(pause)

    @contextlib.asynccontextmanager
    async def streaming(self, request: ApiRequest[Any]) -> AsyncGenerator[AsyncIterator[str]]:
        """Open an answer that goes on, and give its lines. See ``Connection.streaming``."""
        with _connection_errors():
            async with self._clients().streams.stream(**_arguments(self.address, request)) as response:
                if response.status_code >= 300:
                    body = b"".join([part async for part in response.aiter_bytes()])[:_REFUSAL_BYTES]
                    raise _refused(request, _answer(response, body), self.address.url)
                yield response.aiter_lines()

    def _clients(self) -> "_Opened":
        loop = asyncio.get_running_loop()
        with self._lock:
            opened = self._opened.get(loop)
            if opened is None or opened.pid != os.getpid():
                opened = self._opened[loop] = _open()
            return opened


@dataclass(frozen=True, slots=True)
class _Opened:
    pid: int
    requests: httpx.AsyncClient
    streams: httpx.AsyncClient
    closing: AsyncGenerator[None, None]


@cache
def _tls() -> ssl.SSLContext:
    """Return the certificates that are trusted, which take a while to load."""
    return httpx.create_ssl_context()


def _open() -> _Opened:
    clients = httpx.AsyncClient(limits=_REQUESTS, verify=_tls()), httpx.AsyncClient(limits=_STREAMS, verify=_tls())
    closing = _close_with_loop(*clients)
    with contextlib.suppress(StopIteration):
        closing.__anext__().send(None)  # runs it to its yield, so that the loop finishes it at its own end
    return _Opened(os.getpid(), *clients, closing)


async def _close_with_loop(*clients: httpx.AsyncClient) -> AsyncGenerator[None, None]:
    """Close clients when their event loop ends: ``asyncio.run`` finishes the generators that were started in it."""
    try:
        yield
    finally:
        for client in clients:
            await client.aclose()


def _arguments(address: ServerAddress, request: ApiRequest[Any]) -> dict[str, Any]:
    return {
        "method": request.method,
        "url": address.of(request),
        "params": {name: value for name, value in request.query.items() if value} or None,
        "content": request.body,
        "headers": address.headers(request),
        "timeout": httpx.Timeout(
            max(request.patience, address.connect_seconds), connect=address.connect_seconds, pool=None
        ),
    }


def _answer(response: httpx.Response, body: bytes) -> ApiAnswer:
    return ApiAnswer(response.status_code, response.headers, body)


def _read(request: ApiRequest[T], answer: ApiAnswer, url: str) -> T:
    try:
        return request.read(answer)
    except (ValueError, KeyError, TypeError) as error:
        raise misread(request, answer, url, error) from error


def _refused(request: ApiRequest[Any], answer: ApiAnswer, url: str) -> Exception:
    is_passing = answer.status in (408, 429) or answer.status >= 500
    return ConnectionError(f"it answers {answer.status}") if is_passing else refusal(request, answer, url)


def _begin(parts: Iterator[bytes]) -> Iterator[bytes]:
    size = 0
    for part in parts:
        size += len(part)
        yield part
        if size > _REFUSAL_BYTES:
            return


@contextlib.contextmanager
def _connection_errors() -> Generator[None]:
    try:
        yield
    except httpx.RequestError as error:
        raise ConnectionError(_reason(error)) from error


def _reason(error: httpx.RequestError) -> str:
    what = type(error).__name__.removesuffix("Error")
    return f"{what}: {error}" if str(error) else what


def _is_final(error: httpx.RequestError) -> bool:
    return isinstance(error, httpx.UnsupportedProtocol) or "CERTIFICATE_VERIFY_FAILED" in str(error)
