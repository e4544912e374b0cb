"""How the steps of an attempt call functions of either kind: the seam between the steps and the two ways to run them.

The steps are written once, as a coroutine. ``Coroutines`` awaits in the running loop and calls blocking hooks in
threads. ``InPlace`` never suspends: ``drive`` runs its coroutine as plain calls.
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
"""What a middleware is around."""


class Opened(Protocol):
    """A middleware that yields, as a context manager."""

    async def enter(self) -> None: ...

    async def leave(self, error: BaseException | None) -> bool:
        """Go on after the yield. Returns whether the error was swallowed."""
        ...


class Caller(Protocol):
    """Calls what belongs to an attempt."""

    def call(self, function: Callable[..., object], arguments: Mapping[str, object]) -> Awaitable[object]:
        """Call a hook and await what it returns, if that can be awaited."""
        ...

    def open(self, middleware: Hook, arguments: Mapping[str, object]) -> Opened:
        """Return a generator middleware, not entered yet."""
        ...

    async def around(self, middleware: Hook, arguments: Mapping[str, object], inner: Inner) -> None:
        """Call a middleware that takes ``next``."""
        ...

    def is_stop(self, error: BaseException) -> bool:
        """Whether an exception says that the attempt is stopped from outside, and is no failure of its code."""
        ...


def is_told_to_leave(error: BaseException) -> bool:
    """Whether SIGTERM made the child leave (billiard exits with ``-(256 - signal)``), not the task's ``sys.exit``."""
    return isinstance(error, SystemExit) and isinstance(error.code, int) and error.code < -128


def is_failure(error: BaseException) -> bool:
    """Whether it is something that code raises when it fails."""
    return isinstance(error, Exception | SystemExit | asyncio.CancelledError)


def called_twice(middleware: Hook) -> DefinitionError:
    """Return the error for a middleware that wants its run again."""
    return middleware.refusal("calls next() twice", "An attempt runs once; raise an error to have it tried again.")


def adopt(context: contextvars.Context) -> None:
    """Give the context variables of here the values that they have there."""
    for variable, value in context.items():
        if variable.get(adopt) is not value:
            variable.set(value)


SyncManager = AbstractContextManager[object, bool | None]
AsyncManager = AbstractAsyncContextManager[object, bool | None]


def manager_of(middleware: Hook, arguments: Mapping[str, object]) -> SyncManager | AsyncManager:
    """Return a generator middleware as the context manager that contextlib makes of it."""
    generator = middleware.function(**arguments)
    make: Any = asynccontextmanager if inspect.isasyncgen(generator) else contextmanager
    return cast("SyncManager | AsyncManager", make(lambda: generator)())


def exit_arguments(error: BaseException | None) -> tuple[Any, Any, Any]:
    """Return what ``__exit__`` takes."""
    return (None, None, None) if error is None else (type(error), error, error.__traceback__)
