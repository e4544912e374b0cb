"""The object ``retry``: try a part of a task again without ending its attempt."""

import functools
import inspect
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, ParamSpec, Protocol, TypeVar, cast, overload

from taskflow import clock
from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.definition.retry import Retry
from taskflow.durations import retry_delay
from taskflow.errors import AbortRun, DefinitionError, RetryAfter
from taskflow.retrying.strategies import DEFAULT_BY_STATUS, Strategy

if TYPE_CHECKING:
    import httpx

    from taskflow.retrying.transport import RetryTransport

Arguments = ParamSpec("Arguments")
ResultT = TypeVar("ResultT")
_DEFAULT: Final = Retry()


class OnError(Protocol):
    """The decorator that ``retry.on_error(Retry(...))`` makes. It returns a function of the same type."""

    def __call__(self, function: Callable[Arguments, ResultT], /) -> Callable[Arguments, ResultT]: ...


class BlockRetry:
    """Retries of a part of a task: ``from taskflow import retry``. They work outside of a run as well.

    The delays are those of ``Retry.delay_after``. A delay holds the run's place: for long ones let the attempt fail. A
    canceled run's delay ends at once: the coroutine is canceled, the child's main thread is interrupted.

    Args:
        random: Source of numbers in [0, 1), for the jitter.
        sleep: Waits so many seconds; ``asleep`` for coroutines.
        now: The wall clock, for headers that name an instant.
    """

    def __init__(
        self,
        *,
        random: Callable[[], float] = random.random,
        sleep: Callable[[float], object] = clock.sleep,
        asleep: Callable[[float], Awaitable[object]] = clock.asleep,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._random, self._sleep, self._asleep, self._now = random, sleep, asleep, now

    @overload
    def on_error(self, function: Retry, /) -> OnError: ...

    @overload
    def on_error(self, function: Callable[[], ResultT], retry: Retry = ..., /) -> ResultT: ...

    @overload
    def on_error(self, function: Callable[[int], ResultT], retry: Retry = ..., /) -> ResultT: ...

    def on_error(self, function: Callable[..., object] | Retry, retry: Retry = _DEFAULT, /) -> object:
        """Call a function again while it raises, and return its value.

        With only a ``Retry`` it is a decorator of ``def`` and ``async def`` functions.

        Args:
            function: Called as ``function()``, or ``function(attempt)`` when it takes an argument: its number, from 1.
                An ``async def`` function gives a coroutine: ``await retry.on_error(fetch, Retry(5))``.

        Raises:
            Exception: The error of the last attempt. ``AbortRun`` is raised at once; ``RetryAfter`` chooses the delay.
            BlockingCallError: An event loop runs in this thread; await ``aon_error``.
        """
        if isinstance(function, Retry):
            return functools.partial(self._decorate, function)
        call = _numbered(function)
        if inspect.iscoroutinefunction(function):
            return self._atry(cast("Callable[[int], Awaitable[object]]", call), retry)
        return self._try(call, retry)

    @overload
    async def aon_error(self, function: Callable[[], Awaitable[ResultT]], retry: Retry = ..., /) -> ResultT: ...

    @overload
    async def aon_error(self, function: Callable[[int], Awaitable[ResultT]], retry: Retry = ..., /) -> ResultT: ...

    async def aon_error(self, function: Callable[..., Awaitable[object]], retry: Retry = _DEFAULT, /) -> object:
        """Await the result of a function, again while it raises: ``aon_error(lambda: client.get(url))``."""
        return await self._atry(_numbered(function), retry)

    def http(
        self,
        by_status: Mapping[str | int, Strategy | None] = DEFAULT_BY_STATUS,
        *,
        connection_error: Retry | None = _DEFAULT,
        timeout: Retry | None = _DEFAULT,
        transport: "httpx.BaseTransport | httpx.AsyncBaseTransport | None" = None,
    ) -> "RetryTransport":
        """Return a transport for ``httpx.Client`` and ``httpx.AsyncClient`` that sends a request again while it fails.

        A request is sent at most 10 times, whatever its method, with the header ``x-retry-count``. When the last
        response has a bad status, it is returned. Bodies are sent again from memory: one of unknown length or over
        1 MB is sent once.

        Args:
            by_status: Strategies by status. Keys: ``429``, ``"500-599"``, ``"5xx"``, ``"50x"``, ``"all"``, or several
                between commas; the first that fits counts. ``Retry``: its backoff. ``ResetHeader``: wait for the
                time in the response. None: return the response.
            connection_error: Backoff when no response comes. None: raise at once.
            timeout: Backoff when httpx's timeout passes.
            transport: Sends the requests. Default: httpx's own.

        Raises:
            DefinitionError: A key cannot be read, or httpx is not installed.
        """
        try:
            from taskflow.retrying.transport import RetryTransport
        except ModuleNotFoundError as missing:
            remedy = "Install it: pip install 'celery-taskflow[http]'."
            raise DefinitionError("retry.http needs httpx, which is not installed", remedy=remedy) from missing
        return RetryTransport(
            by_status,
            connection_error=connection_error,
            timeout=timeout,
            transport=transport,
            random=self._random,
            sleep=self._sleep,
            asleep=self._asleep,
            now=self._now,
        )

    def _decorate(self, retry: Retry, function: Callable[Arguments, ResultT], /) -> Callable[Arguments, ResultT]:
        @functools.wraps(function)
        def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> ResultT:
            return self._try(lambda _: function(*args, **kwargs), retry)

        @functools.wraps(function)
        async def acall(*args: Arguments.args, **kwargs: Arguments.kwargs) -> object:
            def again(_: int) -> Awaitable[object]:
                return cast("Awaitable[object]", function(*args, **kwargs))

            return await self._atry(again, retry)

        is_async = inspect.iscoroutinefunction(function)
        return cast("Callable[Arguments, ResultT]", acall) if is_async else call

    def _try(self, call: Callable[[int], ResultT], retry: Retry) -> ResultT:
        refuse_in_event_loop("retry.on_error", "retry.aon_error")
        attempt = 1
        while True:
            try:
                return _not_awaitable(call(attempt))
            except Exception as error:
                delay = self._delay(error, attempt, retry)
                if delay is None:
                    raise
            self._sleep(delay.total_seconds())
            attempt += 1

    async def _atry(self, call: Callable[[int], Awaitable[ResultT]], retry: Retry) -> ResultT:
        attempt = 1
        while True:
            try:
                return await call(attempt)
            except Exception as error:
                delay = self._delay(error, attempt, retry)
                if delay is None:
                    raise
            await self._asleep(delay.total_seconds())
            attempt += 1

    def _delay(self, error: Exception, attempt: int, retry: Retry) -> timedelta | None:
        """Return the delay before the next attempt, None when there is none."""
        if isinstance(error, AbortRun | DefinitionError) or attempt >= retry.max_attempts:
            return None
        if isinstance(error, RetryAfter):
            return retry_delay(error, self._now())
        return retry.delay_after(attempt, self._random)


def _numbered(function: Callable[..., ResultT]) -> Callable[[int], ResultT]:
    """Wrap a function so that it takes the attempt's number, which is passed on if the function has a parameter."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # some builtins do not have a signature
        return lambda _: function()
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if any(each.kind in positional and each.default is each.empty for each in parameters):
        return function
    return lambda _: function()


def _not_awaitable(value: ResultT) -> ResultT:
    if inspect.iscoroutine(value):
        cast("Coroutine[Any, Any, object]", value).close()
        remedy = "Write `await retry.aon_error(...)`."
        raise DefinitionError("retry.on_error was given a function that returns a coroutine", remedy=remedy)
    return value


retry: Final = BlockRetry()
