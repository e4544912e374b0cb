"""A durable run whose wait is done, while it waits for a slot to go on with."""

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from taskflow import task, wait
from taskflow.definition.registry import declared
from taskflow.execution.hook_runner import HookRunner
from taskflow.execution.journal import Journal
from taskflow.execution.outcome import Completed
from taskflow.execution.waiting.durable_blocking import DurableBlockingWaits
from taskflow.execution.waiting.durable_coroutines import DurableCoroutineWaits
from taskflow.execution.waiting.wait_store import LOOK_SECONDS, Done
from taskflow.models import RunStatus
from taskflow.seams.waits import Waits
from tests.unit.execution.durable_wait_store import AsyncMemoryWaitStore, DurableRun, MemoryWaitStore


@pytest.fixture(autouse=True)
def isolated() -> Iterator[None]:
    """Tasks of one test."""
    with declared.isolated():
        yield


class QueuedWaitStore(MemoryWaitStore):
    """Refuses to unload the run: it is to go on. Lets it go on once it listens."""

    def __init__(self, run: DurableRun) -> None:
        super().__init__(run)
        self.listened: list[float] = []
        self.refusals = 0

    def suspend(self) -> bool:
        self.refusals += 1
        return False

    def listen(self, seconds: float) -> None:
        self.listened.append(seconds)
        for key in self.run.opened:
            self.run.complete(key)

    def read(self, names: Sequence[str]) -> Done:
        done = super().read(names)
        return Done(RunStatus.EXECUTING, bool(done.values), done.values)


class AsyncQueuedWaitStore(AsyncMemoryWaitStore):
    """For coroutines."""

    async def suspend(self) -> bool:
        return self.wait_store.suspend()


class QueuedRun(DurableRun):
    """Has a wait_store of that kind."""

    def _waits(self, hooks: HookRunner) -> Waits:
        self.wait_store = QueuedWaitStore(self)
        journal = Journal("run_test", dict(self.entries), self.done(), self.suspend_after)
        if not self.task.definition.is_async:
            return DurableBlockingWaits(self.wait_store, hooks, journal)
        wait_store = AsyncQueuedWaitStore(self)
        wait_store.wait_store = self.wait_store
        waits = DurableCoroutineWaits(wait_store, hooks, journal)

        def go_on() -> None:
            self.wait_store.listen(0)
            waits.notify()

        asyncio.get_running_loop().call_later(0.4, go_on)
        return waits


def test_a_blocking_run_listens_for_its_slot() -> None:
    """It may be queued for hours: the store is not asked every moment."""

    @task(durable=True)
    def waits(payload: None) -> str:
        wait.for_("1h")
        return "done"

    run = QueuedRun(waits)
    assert isinstance(run.play(), Completed)
    assert run.wait_store.listened == [LOOK_SECONDS]


def test_a_coroutine_listens_for_its_slot() -> None:
    """The same for thousands of them."""

    @task(durable=True)
    async def waits(payload: None) -> str:
        await wait.afor_("1h")
        return "done"

    run = QueuedRun(waits)
    assert isinstance(run.play(), Completed)
    assert run.wait_store.refusals == 1
