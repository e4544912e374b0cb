"""The seam between the steps of an attempt and the two ways to run them.

The steps are written once, as a coroutine. ``Coroutines`` awaits in the running loop and calls blocking hooks in
threads. ``InPlace`` never suspends: ``run_unsuspended`` runs its coroutine as plain calls.
"""

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol, cast

from taskflow.definition.hooks import Hook
from taskflow.errors import DefinitionError

Inner = Callable[[], Coroutine[Any, Any, None]]
"""The rest of the attempt, which a middleware surrounds."""


class OpenMiddleware(Protocol):
    """A generator middleware, as a context manager."""

    async def enter(self) -> None: ...

    async def leave(self, error: BaseException | None) -> bool:
        """Go on after the yield. Returns whether the error was swallowed."""
        ...


class Caller(Protocol):
    """The caller of an attempt's hooks and middlewares."""

    def call(self, function: Callable[..., object], arguments: Mapping[str, object]) -> Awaitable[object]:
        """Call a hook, and await its result if that can be awaited."""
        ...

    def open(self, middleware: Hook, arguments: Mapping[str, object]) -> OpenMiddleware:
        """Return a generator middleware, not entered yet."""
        ...

    async def around(self, middleware: Hook, arguments: Mapping[str, object], inner: Inner) -> None:
        """Call a middleware that takes ``next``."""
        ...

    def is_stop(self, error: BaseException) -> bool:
        """Whether an exception stops the attempt from outside, and is not a failure of its code."""
        ...


def is_exit_by_sigterm(error: BaseException) -> bool:
    """Whether SIGTERM ended the child (billiard exits with ``-(256 - signal)``), not a ``sys.exit`` of the task."""
    return isinstance(error, SystemExit) and isinstance(error.code, int) and error.code < -128


def is_failure(error: BaseException) -> bool:
    """Whether an exception is a failure of code."""
    return isinstance(error, Exception | SystemExit | asyncio.CancelledError)


def called_twice(middleware: Hook) -> DefinitionError:
    """Return the error of a middleware that calls ``next`` twice."""
    return middleware.refusal("calls next() twice", "An attempt runs once; raise an error to have it tried again.")


def adopt(context: contextvars.Context) -> None:
    """Copy the values of context variables from another context to the current one."""
    for variable, value in context.items():
        if variable.get(adopt) is not value:
            variable.set(value)


SyncManager = AbstractContextManager[object, bool | None]
AsyncManager = AbstractAsyncContextManager[object, bool | None]


def manager_of(middleware: Hook, arguments: Mapping[str, object]) -> SyncManager | AsyncManager:
    """Make a context manager of a generator middleware, as contextlib does."""
    generator = middleware.function(**arguments)
    make: Any = asynccontextmanager if inspect.isasyncgen(generator) else contextmanager
    return cast("SyncManager | AsyncManager", make(lambda: generator)())


def exit_arguments(error: BaseException | None) -> tuple[Any, Any, Any]:
    """Return the arguments of ``__exit__``."""
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)
