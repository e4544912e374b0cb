"""Journaled calls of a durable ``async def`` task, several at a time."""

import asyncio
import contextlib
import contextvars
import inspect
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Final, Literal

from taskflow import clock
from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.errors import Suspended, TaskflowError
from taskflow.execution.hook_runner import HookRunner
from taskflow.execution.in_loop import in_thread
from taskflow.execution.journal import Journal
from taskflow.execution.waiting.coroutines import CoroutineWaits
from taskflow.execution.waiting.durable import NOTHING, DurableCalls, Patience, short_wait, waiter
from taskflow.execution.waiting.wait_store import LOOK_SECONDS, AsyncWaitStore, Opening
from taskflow.seams.journal_entries import wait_entry
from taskflow.seams.journal_keys import NOWHERE, Scope, StepCall, current_scope, move_to
from taskflow.seams.waits import Wait, WaitRequest

_LEAVING_SECONDS: Final = 5.0


class DurableCoroutineWaits(CoroutineWaits):
    """The waits and steps of one attempt of a durable ``async def`` task, and its unloading.

    Each task that the function makes has a scope of its own in the journal, numbered in the order of their creation.
    """

    is_durable = True

    def __init__(self, wait_store: AsyncWaitStore, hooks: HookRunner, journal: Journal) -> None:
        super().__init__(wait_store, hooks)
        self.journal = journal
        self._calls = DurableCalls(_Awaiting(self), journal)
        self._patience = Patience(journal)
        self._suspending = False

    async def await_(self, request: WaitRequest) -> Sequence[bytes]:
        """Wait, and return the JSON of each item."""
        place = current_scope()
        if place is NOWHERE:  # in a hook
            short = short_wait(request)
            if short is None:
                return await super().await_(request)
            await clock.asleep(short.total_seconds())
            return NOTHING
        return await self._calls.wait(place, request)

    def step(self, scope: Scope, call: StepCall) -> object:
        """Refuse, because nothing may block the loop, and a thread is not the run's code."""
        refuse_in_event_loop("step", "astep")
        raise TaskflowError(
            f"A thread of an async def task can't do step {call.name!r}. Await astep(...) in the task's own coroutine."
        )

    async def astep(self, scope: Scope, call: StepCall) -> object:
        """Return a step's result."""
        return await self._calls.step(scope, call)

    def value(self, scope: Scope, name: str, make: Callable[[bytes], object]) -> object:
        """Return the value that a call had the first time."""
        return self.journal.value(scope, name, make)

    def context(self, given: contextvars.Context | None) -> contextvars.Context | None:
        """Give a new task of the function a scope of its own."""
        context = contextvars.copy_context() if given is None else given
        place = context.run(current_scope)
        if isinstance(place, Scope):
            context.run(move_to, place.branch())
        return context

    def suspend(self) -> None:
        """Unload the run soon if it only waits, because its node is about to stop. In the loop."""
        self._suspending = True
        self._ring()

    async def end(self) -> None:
        """Cancel the tasks that the function has left running, after the function itself was suspended."""
        left = [task for task in self._tasks if not task.done() and task is not asyncio.current_task()]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_LEAVING_SECONDS)

    def _name(self) -> str:
        return f"h{super()._name()}"

    def _entries(self) -> Mapping[str, bytes]:
        return self.journal.unwritten()

    async def _rest(self) -> bool:
        loop = asyncio.get_running_loop()
        since = loop.time()
        while True:
            left = self._patience.left(list(self._open), timedelta(seconds=loop.time() - since))
            if self._suspending and left is not None:
                left = timedelta(0)
            if left == timedelta(0):
                if await self._wait_store.suspend():
                    self._leave()
                    return False
                left = timedelta(seconds=LOOK_SECONDS)  # a wait is done: the run is notified once it has a slot again
            seconds = None if left is None else max(left.total_seconds(), 0.05)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._await_notice(), seconds)
                if await self._is_resumed():
                    return True

    def _leave(self) -> None:
        """Raise ``Suspended`` from every call that waits, so that the run's code ends."""
        self.journal.is_suspended = True
        for future in self._open.values():
            if not future.done():
                future.set_exception(Suspended(self.journal.run_id))
        self._open.clear()

    async def _until_done(self, key: str) -> Sequence[bytes]:
        try:
            return await self._done(key)
        except Suspended:
            raise
        except BaseException:
            await self._forsake(key)
            raise

    async def _forsake(self, key: str) -> None:
        """Close a wait that the code has left. If the attempt was stopped, the next one goes on with the wait."""
        await self._leave_wait(key)
        entry = self.journal.entry(key)
        if entry is not None and not self._hooks.context.signal.is_set():
            self.journal.note(key, wait_entry("o", entry.asked))
            self._wait_store.close([key], self.journal.unwritten())


class _Awaiting:
    """The way of an ``async def`` task."""

    def __init__(self, waits: DurableCoroutineWaits) -> None:
        self._waits = waits
        self._wait_store = waits._wait_store  # pyright: ignore[reportPrivateUsage] - one class in two parts

    async def open(self, opening: Opening) -> None:
        await self._wait_store.open(opening)

    async def begin(self, request: WaitRequest, key: str) -> Wait:
        assert request.abegin is not None
        return await request.abegin(waiter(self._waits.journal, key, self._wait_store.place))

    async def call_hooks(self, kind: Literal["on_wait", "on_resume"], what: Wait) -> None:
        await self._waits._call(kind, what)  # pyright: ignore[reportPrivateUsage]

    async def until_done(self, key: str) -> Sequence[bytes]:
        return await self._waits._until_done(key)  # pyright: ignore[reportPrivateUsage]

    async def sleep(self, duration: timedelta) -> None:
        await clock.asleep(duration.total_seconds())

    async def call(self, call: StepCall) -> object:
        if call.is_async:
            value = call.call()
        else:
            value = await in_thread(contextvars.copy_context(), partial(call.call))
        return await value if inspect.isawaitable(value) else value

    async def write(self, entries: Mapping[str, bytes]) -> None:
        await self._wait_store.write(entries)
