"""A run's journal and waits in memory: what the store does for a durable attempt, without one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from taskflow.errors import Suspended
from taskflow.execution.hook_runner import HookRunner
from taskflow.execution.journal import Journal
from taskflow.execution.misfit import UNKNOWN, Code
from taskflow.execution.outcome import Completed, Ended, Outcome
from taskflow.execution.waiting.durable_blocking import DurableBlockingWaits
from taskflow.execution.waiting.durable_coroutines import DurableCoroutineWaits
from taskflow.execution.waiting.wait_store import NO_ENTRIES, Done, Opening
from taskflow.models import RunStatus
from taskflow.seams.waits import Waits
from taskflow.verbs.task import Task
from tests.unit.execution.conftest import an_attempt

FOREVER = timedelta(hours=1)


@dataclass
class DurableRun:
    """One durable run over its attempts.

    Attributes:
        entries: What its journal has.
        opened: Its waits, with the items that are done.
        writes: How often something was written.
    """

    task: Task[Any, Any]
    payload: bytes = b"null"
    suspend_after: timedelta = timedelta(0)
    entries: dict[str, bytes] = field(default_factory=dict[str, bytes])
    opened: dict[str, list[bytes | None]] = field(default_factory=dict[str, list[bytes | None]])
    due: dict[str, object] = field(default_factory=dict[str, object])
    writes: int = 0
    attempts: int = 0
    code: Code = UNKNOWN

    def play(self, number: int = 1, *, is_resumed: bool = False) -> Outcome | Suspended:
        """Execute the function from its start, with what the journal has."""
        self.attempts += 1
        attempt = an_attempt(self.task, self.payload, number=number)
        attempt = replace(attempt, make_waits=self._waits, is_resumed=is_resumed)
        try:
            return attempt.execute()
        except Suspended as suspended:
            return suspended

    def complete(self, key: str, *values: bytes) -> None:
        """Let a wait be done."""
        self.opened[key] = [*values] or [b"null"]

    def resume(self) -> Outcome | Suspended:
        """Let every wait for time be done, and go on."""
        for key in self.due:
            if key in self.opened:
                self.complete(key)
        return self.play(is_resumed=True)

    def done(self) -> dict[str, Sequence[bytes]]:
        """Return the values of waits that are done."""
        found: dict[str, Sequence[bytes]] = {}
        for key, items in self.opened.items():
            values = [item for item in items if item is not None]
            if len(values) == len(items):
                found[key] = values
        return found

    def _waits(self, hooks: HookRunner) -> Waits:
        journal = Journal("run_test", dict(self.entries), self.done(), self.suspend_after, self.code)
        if self.task.definition.is_async:
            return DurableCoroutineWaits(AsyncMemoryWaitStore(self), hooks, journal)
        return DurableBlockingWaits(MemoryWaitStore(self), hooks, journal)


class MemoryWaitStore:
    """For blocking code."""

    run_id = "run_test"
    place = ""
    claim = 1

    def __init__(self, run: DurableRun) -> None:
        self.run = run

    def open(self, opening: Opening) -> None:
        self.write(opening.entries)
        self.run.opened.setdefault(opening.name, [None] * opening.items)
        if opening.due is not None:
            self.run.due[opening.name] = opening.due

    def park(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> bool:
        self.write(entries)
        return not any(name in self.run.done() for name in names)

    def write(self, entries: Mapping[str, bytes]) -> None:
        self.run.writes += 1
        self.run.entries |= entries

    def suspend(self) -> bool:
        return True

    def listen(self, seconds: float) -> None:
        raise AssertionError("nothing would wake it")

    def read(self, names: Sequence[str]) -> Done:
        found = self.run.done()
        return Done(RunStatus.EXECUTING, False, {name: found[name] for name in names if name in found})

    def close(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> None:
        self.write(entries)
        for name in names:
            self.run.opened.pop(name, None)


class AsyncMemoryWaitStore:
    """For coroutines."""

    run_id = "run_test"
    place = ""
    claim = 1

    def __init__(self, run: DurableRun) -> None:
        self.wait_store = MemoryWaitStore(run)

    async def open(self, opening: Opening) -> None:
        self.wait_store.open(opening)

    async def park(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> bool:
        return self.wait_store.park(names, entries)

    async def write(self, entries: Mapping[str, bytes]) -> None:
        self.wait_store.write(entries)

    async def suspend(self) -> bool:
        return True

    async def read(self, names: Sequence[str]) -> Done:
        return self.wait_store.read(names)

    async def resume(self) -> None:
        """It goes on."""

    def close(self, names: Sequence[str], entries: Mapping[str, bytes] = NO_ENTRIES) -> None:
        self.wait_store.close(names, entries)

    def pause(self) -> None:
        """It only waits."""

    def unpause(self) -> None:
        """It executes again."""


def soon() -> datetime:
    """Return an instant that is almost there."""
    return datetime.now(UTC) + timedelta(milliseconds=5)


def value_of(outcome: Outcome | Suspended) -> object:
    """Return what the function returned."""
    assert isinstance(outcome, Completed), outcome
    return outcome.value


def error_of(outcome: Outcome | Suspended) -> str:
    """Return why the run is not tried again."""
    assert isinstance(outcome, Ended), outcome
    return f"{outcome.error.type}: {outcome.error.message}"
