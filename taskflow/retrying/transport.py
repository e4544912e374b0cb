"""An httpx transport that sends a failed request again. The only module that imports httpx."""

import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

import httpx

from taskflow.definition.retry import Retry
from taskflow.retrying.strategies import MOST_ATTEMPTS, Rules, Strategy, delay_of

log = logging.getLogger("taskflow.http")
COUNT_HEADER: Final = "x-retry-count"
LARGEST_KEPT_BODY: Final = 1_000_000
LARGEST_READ_RESPONSE: Final = 65_536
"""Most bytes of a dropped response that are read, so that its connection serves the next try. Others are closed."""


class RetryTransport(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """The transport of ``retry.http``, for one client of either kind. It does not retry after a response's headers."""

    def __init__(
        self,
        by_status: Mapping[str | int, Strategy | None],
        *,
        connection_error: Retry | None,
        timeout: Retry | None,
        transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None,
        random: Callable[[], float],
        sleep: Callable[[float], object],
        asleep: Callable[[float], Awaitable[object]],
        now: Callable[[], datetime],
    ) -> None:
        self._rules = Rules(by_status)
        self._connection_error, self._timeout = connection_error, timeout
        self._sync = transport if isinstance(transport, httpx.BaseTransport) else None
        self._async = transport if isinstance(transport, httpx.AsyncBaseTransport) else None
        self._random, self._sleep, self._asleep, self._now = random, sleep, asleep, now

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request until it succeeds or its rules end it."""
        self._sync = self._sync or httpx.HTTPTransport()
        if _is_small(request):
            request.read()
        attempt = 1
        while True:
            request.headers[COUNT_HEADER] = str(attempt - 1)
            try:
                response = self._sync.handle_request(request)
            except httpx.TransportError as error:
                delay = self._after_error(request, error, attempt)
                if delay is None:
                    raise
            else:
                delay = self._after_response(request, response, attempt)
                if delay is None:
                    return response
                _drop(response)
            self._sleep(delay.total_seconds())
            attempt += 1

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request until it succeeds or its rules end it."""
        self._async = self._async or httpx.AsyncHTTPTransport()
        if _is_small(request):
            await request.aread()
        attempt = 1
        while True:
            request.headers[COUNT_HEADER] = str(attempt - 1)
            try:
                response = await self._async.handle_async_request(request)
            except httpx.TransportError as error:
                delay = self._after_error(request, error, attempt)
                if delay is None:
                    raise
            else:
                delay = self._after_response(request, response, attempt)
                if delay is None:
                    return response
                await _adrop(response)
            await self._asleep(delay.total_seconds())
            attempt += 1

    def close(self) -> None:
        """Close the transport underneath."""
        if self._sync is not None:
            self._sync.close()

    async def aclose(self) -> None:
        """Close the transport underneath."""
        if self._async is not None:
            await self._async.aclose()

    def _after_error(self, request: httpx.Request, error: httpx.TransportError, attempt: int) -> timedelta | None:
        if isinstance(error, httpx.TimeoutException):
            backoff = self._timeout
        elif isinstance(error, httpx.NetworkError | httpx.RemoteProtocolError | httpx.ProxyError):
            backoff = self._connection_error
        else:  # a wrong URL or request fails in the same way again
            backoff = None
        if backoff is None or attempt >= min(backoff.max_attempts, MOST_ATTEMPTS) or not _can_repeat(request):
            return None
        log.info("http.again: %s of %s after attempt %d", type(error).__name__, request.url.host, attempt)
        return backoff.delay_after(attempt, self._random)

    def _after_response(self, request: httpx.Request, response: httpx.Response, attempt: int) -> timedelta | None:
        strategy = self._rules.strategy(response.status_code)
        if strategy is None or not _can_repeat(request):
            return None
        delay = delay_of(strategy, attempt, response.headers.get, self._now(), self._random)
        if delay is not None:
            log.info("http.again: %d from %s after attempt %d", response.status_code, request.url.host, attempt)
        return delay


def _is_small(request: httpx.Request) -> bool:
    """Whether a streamed body (a form with files) may be read into memory, so that it can be sent again."""
    length = request.headers.get("content-length", "")
    return not isinstance(request.stream, httpx.ByteStream) and length.isdecimal() and int(length) <= LARGEST_KEPT_BODY


def _can_repeat(request: httpx.Request) -> bool:
    return isinstance(request.stream, httpx.ByteStream)


def _is_worth_reading(response: httpx.Response) -> bool:
    length = response.headers.get("content-length", "")
    return length.isdecimal() and int(length) <= LARGEST_READ_RESPONSE


def _drop(response: httpx.Response) -> None:
    with contextlib.suppress(httpx.TransportError):
        if _is_worth_reading(response):
            response.read()
    response.close()


async def _adrop(response: httpx.Response) -> None:
    with contextlib.suppress(httpx.TransportError):
        if _is_worth_reading(response):
            await response.aread()
    await response.aclose()
