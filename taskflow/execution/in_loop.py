"""Call the hooks of an ``async def`` task in the running loop, and its blocking ones in a thread of the attempt."""

import asyncio
import contextvars
import functools
import inspect
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Final, Self, TypeVar, cast

from taskflow.definition.hooks import Hook
from taskflow.definition.signal import Signal
from taskflow.errors import Suspended
from taskflow.errors.base import is_kind
from taskflow.execution.calling import (
    AsyncManager,
    Inner,
    OpenMiddleware,
    SyncManager,
    adopt,
    exit_arguments,
    manager_of,
)
from taskflow.execution.forks import leave_if_fork

T = TypeVar("T")
_THREADS: Final = 64


class Escape:
    """The exit of a task that the attempt's code has made, or of a callback of it: asyncio lets it out of the loop.

    Attributes:
        error: Set before the attempt's coroutine is canceled because of it.
    """

    __slots__ = ("error",)

    def __init__(self) -> None:
        self.error: BaseException | None = None


class Coroutines:
    """The caller of ``async def`` tasks, in the running loop. Made in the task that executes the attempt.

    It must be closed, because it may have a thread.
    """

    def __init__(self, signal: Signal, escape: Escape) -> None:
        self._signal, self._escape = signal, escape
        self._task = asyncio.current_task()
        self._thread = HookThread()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.close()

    async def call_ours(self, function: Callable[..., object], arguments: Mapping[str, object]) -> object:
        return await in_thread(contextvars.copy_context(), functools.partial(function, **arguments))

    async def call(self, function: Callable[..., object], arguments: Mapping[str, object]) -> object:
        if inspect.iscoroutinefunction(function):
            return await function(**arguments)
        value = await self._thread.call(contextvars.copy_context(), functools.partial(function, **arguments))
        return await value if inspect.isawaitable(value) else value

    def open(self, middleware: Hook, arguments: Mapping[str, object]) -> OpenMiddleware:
        manager = manager_of(middleware, arguments)
        if isinstance(manager, AbstractAsyncContextManager):
            return _Awaited(manager)
        return _Threaded(manager, self._thread)

    async def around(self, middleware: Hook, arguments: Mapping[str, object], inner: Inner) -> None:
        value = middleware.function(**arguments, next=inner)
        if inspect.isawaitable(value):
            await value

    def cause(self, error: BaseException) -> BaseException:
        """Also take back cancels that nobody but the code has asked for, so that its hooks can await as usual."""
        if not is_kind(error, asyncio.CancelledError) or self._signal.is_set():
            return error
        while self._task is not None and self._task.cancelling():
            self._task.uncancel()
        return self._escape.error or error

    def is_dropped(self, error: BaseException) -> bool:
        """Whether the coroutine is closed: then its task is not the one that runs, and its loop may have ended."""
        if not is_kind(error, GeneratorExit):
            return False
        try:
            return asyncio.current_task() is not self._task
        except RuntimeError:  # no loop runs
            return True

    def is_stop(self, error: BaseException) -> bool:
        is_asked = is_kind(error, asyncio.CancelledError) and self._signal.is_set()
        return is_asked or is_kind(error, Suspended) or self.is_dropped(error)


class HookThread:
    """The thread in which all blocking hooks of one attempt run, so that what one opens another may use and close.

    Connections of sqlite3 and of ORMs belong to a thread, as do thread-locals. It is made for the first such hook.
    """

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None

    async def call(self, context: contextvars.Context, function: Callable[[], T]) -> T:
        """Call a function in it. See ``in_thread``."""
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="taskflow-hook")
        return await in_thread(context, function, self._executor)

    def close(self) -> None:
        """End it, once it has done what it is doing."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)


async def in_thread(
    context: contextvars.Context, function: Callable[[], T], executor: ThreadPoolExecutor | None = None
) -> T:
    """Call a blocking function in a thread, by default any, in a context whose changes are kept.

    A thread cannot be stopped. A coroutine that is canceled waits for the thread first, so that nothing that the thread
    uses is closed.
    """

    def captured() -> tuple[object, BaseException | None]:
        return context.run(_captured, function)

    future = asyncio.get_running_loop().run_in_executor(executor or _threads(), captured)
    try:
        value, error = await asyncio.shield(future)
    except asyncio.CancelledError:
        await asyncio.wait([future])
        raise
    adopt(context)
    if error is not None:
        raise error
    return cast("T", value)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    """Make the threads of blocking steps. The loop's own threads will not do, because tasks may occupy all of them."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="taskflow-blocking")


os.register_at_fork(after_in_child=_threads.cache_clear)  # a child does not have its parent's threads


def _captured(function: Callable[[], object]) -> tuple[object, BaseException | None]:
    try:
        value = function()
    except BaseException as error:  # noqa: BLE001 - a future cannot carry StopIteration
        leave_if_fork(error)
        return None, error
    leave_if_fork()
    return value, None


class _Awaited:
    def __init__(self, manager: AsyncManager) -> None:
        self._manager = manager

    async def enter(self) -> None:
        await self._manager.__aenter__()

    async def leave(self, error: BaseException | None) -> bool:
        return bool(await self._manager.__aexit__(*exit_arguments(error)))


class _Threaded:
    """A generator in a thread. It has one context, so that it may reset after the yield what it has set before."""

    def __init__(self, manager: SyncManager, thread: HookThread) -> None:
        self._manager, self._thread = manager, thread
        self._context = contextvars.copy_context()

    async def enter(self) -> None:
        await self._thread.call(self._context, self._manager.__enter__)

    async def leave(self, error: BaseException | None) -> bool:
        self._context.run(adopt, contextvars.copy_context())
        leave = functools.partial(self._manager.__exit__, *exit_arguments(error))
        return bool(await self._thread.call(self._context, leave))
