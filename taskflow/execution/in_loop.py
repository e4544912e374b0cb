"""Call the hooks of an ``async def`` task in the running loop; blocking ones in threads."""

import asyncio
import contextvars
import functools
import inspect
import os
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager
from typing import Final, TypeVar, cast

from taskflow.definition.hooks import Hook
from taskflow.execution.calling import (
    AsyncManager,
    Inner,
    OpenMiddleware,
    SyncManager,
    adopt,
    exit_arguments,
    is_exit_by_sigterm,
    is_failure,
    manager_of,
)

T = TypeVar("T")
_THREADS: Final = 64


class Coroutines:
    """The caller of ``async def`` tasks, in the running loop."""

    async def call(self, function: Callable[..., object], arguments: Mapping[str, object]) -> object:
        if inspect.iscoroutinefunction(function):
            return await function(**arguments)
        value = await in_thread(contextvars.copy_context(), functools.partial(function, **arguments))
        return await value if inspect.isawaitable(value) else value

    def open(self, middleware: Hook, arguments: Mapping[str, object]) -> OpenMiddleware:
        manager = manager_of(middleware, arguments)
        if isinstance(manager, AbstractAsyncContextManager):
            return _Awaited(manager)
        return _Threaded(manager)

    async def around(self, middleware: Hook, arguments: Mapping[str, object], inner: Inner) -> None:
        value = middleware.function(**arguments, next=inner)
        if inspect.isawaitable(value):
            await value

    def is_stop(self, error: BaseException) -> bool:
        """Whether the attempt is stopped.

        A CancelledError is a failure of the task when this coroutine was not canceled: what the task awaited was.
        """
        if isinstance(error, asyncio.CancelledError):
            task = asyncio.current_task()
            return task is not None and task.cancelling() > 0
        return is_exit_by_sigterm(error) or not is_failure(error)


async def in_thread(context: contextvars.Context, function: Callable[[], T]) -> T:
    """Call a blocking function in a thread, in a context whose changes are kept.

    A thread cannot be stopped. A coroutine that is canceled waits for the thread first, so that nothing that the thread
    uses is closed.
    """

    def captured() -> tuple[object, BaseException | None]:
        return context.run(_captured, function)

    future = asyncio.get_running_loop().run_in_executor(_threads(), captured)
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
    """Make the threads of blocking hooks. The loop's own threads will not do, because tasks may occupy all of them."""
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="taskflow-hook")


os.register_at_fork(after_in_child=_threads.cache_clear)  # a child does not have its parent's threads


def _captured(function: Callable[[], object]) -> tuple[object, BaseException | None]:
    try:
        return function(), None
    except BaseException as error:  # noqa: BLE001 - a future cannot carry StopIteration
        return None, error


class _Awaited:
    def __init__(self, manager: AsyncManager) -> None:
        self._manager = manager

    async def enter(self) -> None:
        await self._manager.__aenter__()

    async def leave(self, error: BaseException | None) -> bool:
        return bool(await self._manager.__aexit__(*exit_arguments(error)))


class _Threaded:
    """A generator in threads. It has one context, so that it may reset after the yield what it has set before."""

    def __init__(self, manager: SyncManager) -> None:
        self._manager = manager
        self._context = contextvars.copy_context()

    async def enter(self) -> None:
        await in_thread(self._context, self._manager.__enter__)

    async def leave(self, error: BaseException | None) -> bool:
        self._context.run(adopt, contextvars.copy_context())
        return bool(await in_thread(self._context, functools.partial(self._manager.__exit__, *exit_arguments(error))))
