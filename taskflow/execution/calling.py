"""The seam between the steps of an attempt and the two ways to run them.

The steps are written once, as a coroutine. ``Coroutines`` awaits in the running loop and calls blocking hooks in
threads. ``InPlace`` never suspends: ``run_unsuspended`` runs its coroutine as plain calls.
"""

import contextvars
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, contextmanager
from typing import Any, Protocol, cast

from taskflow.definition.hooks import Hook
from taskflow.definition.signal import Signal
from taskflow.errors import DefinitionError
from taskflow.errors.base import is_kind

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

    def call_ours(self, function: Callable[..., object], arguments: Mapping[str, object]) -> Awaitable[object]:
        """Call a blocking function that is no code of the user's, in any thread."""
        ...

    def open(self, middleware: Hook, arguments: Mapping[str, object]) -> OpenMiddleware:
        """Return a generator middleware, not entered yet."""
        ...

    async def around(self, middleware: Hook, arguments: Mapping[str, object], inner: Inner) -> None:
        """Call a middleware that takes ``next``."""
        ...

    def cause(self, error: BaseException) -> BaseException:
        """Return what an exception of the attempt's code comes from: itself, or an exit of a task of its own."""
        ...

    def is_dropped(self, error: BaseException) -> bool:
        """Whether the attempt's coroutine is dropped: nothing can be awaited any more."""
        ...

    def is_stop(self, error: BaseException) -> bool:
        """Whether an exception stops the attempt because its node asked for it, and is not a failure of its code.

        Code may itself raise the exceptions by which a node stops it. So not the exception decides but the attempt's
        signal: a node sets it before it cancels a coroutine, and a child is asked by SIGTERM or its alarm.
        """
        ...


class ChildStop:
    """Whether a child was asked to stop the attempt that it executes.

    Args:
        signal: The signal of the attempt. Set here when a SystemExit shows that the child was asked.
        reason: Returns why the process was asked to leave, or an empty text when it was not.
    """

    def __init__(self, signal: Signal, reason: Callable[[], str]) -> None:
        self.signal = signal
        self._reason = reason

    def is_asked(self, error: BaseException) -> bool:
        """Whether an exception is the SystemExit by which the child was asked, not a ``sys.exit`` of the task."""
        if not is_kind(error, SystemExit):
            return False
        if not self.signal.is_set() and (reason := self._reason()):
            self.signal.set(reason)
        return self.signal.is_set()


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
