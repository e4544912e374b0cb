"""Journaled calls of a durable ``def`` task, in its child's main thread."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Literal

from taskflow import clock
from taskflow.definition.blocking import refuse_in_event_loop
from taskflow.errors import Suspended, TaskflowError
from taskflow.execution.hook_runner import HookRunner
from taskflow.execution.in_place import run_unsuspended
from taskflow.execution.journal import Journal
from taskflow.execution.waiting.blocking import BlockingWaits
from taskflow.execution.waiting.durable import NOTHING, DurableCalls, Patience, short_wait, waiter
from taskflow.execution.waiting.wait_store import LOOK_SECONDS, Opening, WaitStore
from taskflow.seams.journal_keys import NOWHERE, Scope, StepCall, current_scope
from taskflow.seams.waits import Wait, WaitRequest


class DurableBlockingWaits(BlockingWaits):
    """The waits and steps of one attempt of a durable ``def`` task, and its unloading."""

    is_durable = True

    def __init__(self, wait_store: WaitStore, hooks: HookRunner, journal: Journal) -> None:
        super().__init__(wait_store, hooks)
        self.journal = journal
        self._calls = DurableCalls(_Blocking(self), journal)
        self._patience = Patience(journal)
        self._thread = threading.get_ident()
        self._since = 0.0

    def wait(self, request: WaitRequest) -> Sequence[bytes]:
        """Wait, and return the JSON of each item."""
        place = current_scope()
        if place is NOWHERE:  # in a hook
            short = short_wait(request)
            if short is None:
                return super().wait(request)
            clock.sleep(short.total_seconds())
            return NOTHING
        self._refuse_thread()
        return run_unsuspended(self._calls.wait(place, request))

    def step(self, scope: Scope, call: StepCall) -> object:
        """Return a step's result."""
        refuse_in_event_loop("step", "astep")
        self._refuse_thread()
        return run_unsuspended(self._calls.step(scope, call))

    async def astep(self, scope: Scope, call: StepCall) -> object:
        """Refuse, because the coroutine that awaits would not be the run's own."""
        raise TaskflowError(
            f"A def task can't await step {call.name!r}. Call step(...), outside of event loops; or write the task as "
            "async def."
        )

    def value(self, scope: Scope, name: str, make: Callable[[bytes], object]) -> object:
        """Return the value that a call had the first time."""
        return self.journal.value(scope, name, make)

    def _name(self) -> str:
        return f"h{super()._name()}"

    def _park(self, name: str) -> bool:
        self._since = time.monotonic()
        return self._wait_store.park([name], self.journal.unwritten())

    def _listen(self, name: str) -> None:
        left = self._patience.left([name], timedelta(seconds=time.monotonic() - self._since))
        seconds = LOOK_SECONDS if left is None else left.total_seconds()
        if seconds <= 0:
            if self._wait_store.suspend():
                self.journal.is_suspended = True
                raise Suspended(self.journal.run_id)
            seconds = LOOK_SECONDS  # a wait is done: the run is notified once it has a slot again
        self._wait_store.listen(min(max(seconds, 0.05), LOOK_SECONDS))

    def _refuse_thread(self) -> None:
        self.journal.check()
        if threading.get_ident() != self._thread:
            raise TaskflowError(
                "A thread of a durable run can't make its calls: their order would be another each time. Make them in "
                "the task's own thread, or write it as async def and use asyncio.gather."
            )


class _Blocking:
    """The way of a ``def`` task. Its coroutines never suspend."""

    def __init__(self, waits: DurableBlockingWaits) -> None:
        self._waits = waits
        self._wait_store = waits._wait_store  # pyright: ignore[reportPrivateUsage] - one class in two parts

    async def open(self, opening: Opening) -> None:
        self._wait_store.open(opening)

    async def begin(self, request: WaitRequest, key: str) -> Wait:
        assert request.begin is not None
        return request.begin(waiter(self._waits.journal, key, self._wait_store.place))

    async def call_hooks(self, kind: Literal["on_wait", "on_resume"], what: Wait) -> None:
        self._waits._call(kind, what)  # pyright: ignore[reportPrivateUsage]

    async def until_done(self, key: str) -> Sequence[bytes]:
        return self._waits._until_done(key)  # pyright: ignore[reportPrivateUsage]

    async def sleep(self, duration: timedelta) -> None:
        clock.sleep(duration.total_seconds())

    async def call(self, call: StepCall) -> object:
        if call.is_async:
            raise TaskflowError(f"Step {call.name!r} is async def, and a def task can't await it. Write it as def.")
        return call.call()

    async def write(self, entries: Mapping[str, bytes]) -> None:
        self._wait_store.write(entries)
