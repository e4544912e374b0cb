"""Call the hooks of a ``def`` task by plain calls, without a running loop.

``async def`` hooks run in a loop of the attempt's own, between those calls.
"""

import asyncio
import contextvars
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Self, TypeVar, cast

from taskflow.definition.hooks import Hook
from taskflow.errors import Suspended
from taskflow.errors.base import is_kind
from taskflow.execution.calling import (
    AsyncManager,
    ChildStop,
    Inner,
    OpenMiddleware,
    SyncManager,
    adopt,
    called_twice,
    exit_arguments,
    manager_of,
)
from taskflow.execution.forks import leave_if_fork
from taskflow.execution.in_loop import Escape
from taskflow.execution.own_loop import close_runner, run_to_end

T = TypeVar("T")


def run_unsuspended(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, as a plain call."""
    try:
        coroutine.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    coroutine.close()
    raise RuntimeError("an attempt in place was suspended")


class _Answer:
    """The awaitable of a call that has ended. A coroutine would turn the call's StopIteration into another error."""

    __slots__ = ("_value",)

    def __init__(self, value: object) -> None:
        self._value = value

    def __await__(self) -> Any:
        return self._value
        yield  # makes this a generator


class InPlace:
    """The caller of ``def`` tasks. It must be closed, because it may have a loop."""

    def __init__(self, stop: ChildStop) -> None:
        self._stop = stop
        self._runner: asyncio.Runner | None = None
        self._context: contextvars.Context | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._runner is not None:
            close_runner(self._runner)

    def call(self, function: Callable[..., object], arguments: Mapping[str, object]) -> Awaitable[object]:
        try:
            value = function(**arguments)
        except BaseException as error:
            leave_if_fork(error)
            raise
        leave_if_fork()
        return _Answer(self.run(value) if inspect.isawaitable(value) else value)

    def call_ours(self, function: Callable[..., object], arguments: Mapping[str, object]) -> Awaitable[object]:
        return _Answer(function(**arguments))

    def open(self, middleware: Hook, arguments: Mapping[str, object]) -> OpenMiddleware:
        manager = manager_of(middleware, arguments)
        if isinstance(manager, AbstractAsyncContextManager):
            return _InLoop(self, manager)
        return _Here(manager)

    async def around(self, middleware: Hook, arguments: Mapping[str, object], inner: Inner) -> None:
        if middleware.is_async:
            self._around_in_loop(middleware, arguments, inner)
            return
        value = middleware.function(**arguments, next=lambda: run_unsuspended(inner()))
        if inspect.isawaitable(value):  # a wrapper hid the async def
            self.run(value)

    def cause(self, error: BaseException) -> BaseException:
        return error

    def is_dropped(self, error: BaseException) -> bool:
        return False

    def is_stop(self, error: BaseException) -> bool:
        return is_kind(error, Suspended) or self._stop.is_asked(error)

    def run(self, awaitable: Awaitable[T]) -> T:
        """Run an awaitable in the attempt's loop. Changes of context variables pass in and out."""
        if self._runner is None:
            self._runner, self._context = asyncio.Runner(), contextvars.copy_context()
        here = contextvars.copy_context()
        there: list[contextvars.Context] = []

        async def awaited() -> T:
            adopt(here)
            try:
                return await awaitable
            finally:
                there.append(contextvars.copy_context())

        try:
            return run_to_end(self._runner, awaited(), self._stop, Escape(), self._context)
        finally:
            for context in there:
                adopt(context)

    def _around_in_loop(self, middleware: Hook, arguments: Mapping[str, object], inner: Inner) -> None:
        """Run an ``async def`` middleware to its ``await next()``, then the task without a loop, then its rest."""
        asked = asyncio.Event()
        over = asyncio.Event()
        raised: list[BaseException] = []

        async def until_next() -> None:
            if asked.is_set():
                raise called_twice(middleware)
            asked.set()
            await over.wait()
            if raised:
                raise raised[0]

        async def begin() -> "asyncio.Task[object]":
            coroutine = cast("Coroutine[Any, Any, object]", middleware.function(**arguments, next=until_next))
            task = asyncio.ensure_future(coroutine)
            waiter = asyncio.ensure_future(asked.wait())
            await asyncio.wait([task, waiter], return_when=asyncio.FIRST_COMPLETED)
            waiter.cancel()
            return task

        async def end() -> None:
            over.set()
            await task

        task = self.run(begin())
        leaving: BaseException | None = None
        if asked.is_set():
            try:
                run_unsuspended(inner())
            except BaseException as error:  # noqa: BLE001 - the middleware gets every error
                leaving = error if self._stop.is_asked(error) else None
                raised.append(asyncio.CancelledError() if leaving else error)  # SystemExit would stop the loop first
        try:
            self.run(end())
        except asyncio.CancelledError:
            if leaving is None:
                raise
        finally:
            if task.done() and not task.cancelled():
                task.exception()  # retrieved, so that asyncio does not log it
        if leaving is not None:
            raise leaving


class _Here:
    def __init__(self, manager: SyncManager) -> None:
        self._manager = manager

    async def enter(self) -> None:
        self._manager.__enter__()
        leave_if_fork()

    async def leave(self, error: BaseException | None) -> bool:
        is_swallowed = bool(self._manager.__exit__(*exit_arguments(error)))
        leave_if_fork(error)
        return is_swallowed


class _InLoop:
    def __init__(self, caller: InPlace, manager: AsyncManager) -> None:
        self._caller = caller
        self._manager = manager

    async def enter(self) -> None:
        self._caller.run(self._manager.__aenter__())

    async def leave(self, error: BaseException | None) -> bool:
        return bool(self._caller.run(self._manager.__aexit__(*exit_arguments(error))))
