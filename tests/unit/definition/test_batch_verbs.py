"""The verbs of batches and the further ones of runs: what they ask the engine, and what they make of its answers."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest

from taskflow.definition.calls.batch_item import BatchItem, BatchOptions
from taskflow.definition.calls.bulk import BulkAction, BulkFailure
from taskflow.definition.calls.idempotency import idempotency_keys
from taskflow.definition.calls.run_filter import RunFilter
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import (
    BlockingCallError,
    RunFailedError,
    RunFilterError,
    TriggerOptionError,
)
from taskflow.models import Batch, BatchError, BatchProgress, BatchStatus, BulkStatus, RunError, RunStatus
from taskflow.seams.batches import BatchRuns, RunEnd
from taskflow.seams.current_application import CURRENT
from taskflow.verbs.batch import batch
from taskflow.verbs.batch_handle import BatchHandle
from taskflow.verbs.decorator import task
from taskflow.verbs.run_handle import RunHandle
from taskflow.verbs.task import Task
from taskflow.verbs.tasks_by_id import runs, tasks

NOW = datetime(2030, 1, 1, tzinfo=UTC)
WRONG = BatchError(1, "invoice", "PayloadError", "no")
RECORD = Batch("batch_1", BatchStatus.PROCESSING, 3, ("run_1", "run_3"), (WRONG,), BatchProgress(2, 1), NOW)


@dataclass
class Recording:
    """An engine of one batch, and of the further verbs of runs, that remembers what it was asked."""

    asked: list[tuple[object, ...]] = field(default_factory=lambda: [])
    ends: list[RunEnd] = field(default_factory=lambda: [])

    @property
    def batches(self) -> "Recording":
        return self

    @property
    def runs(self) -> "Recording":
        return self

    def trigger(self, task: TaskDefinition | str | None, items: Iterable[object], options: BatchOptions) -> BatchRuns:
        self.asked.append((task, list(items), options))
        output = task.output if task is not None and not isinstance(task, str) else None
        return BatchRuns("batch_1", ("run_1", None, "run_3"), (WRONG,), (output,))

    async def atrigger(
        self, task: TaskDefinition | str | None, items: Iterable[object] | AsyncIterable[object], options: BatchOptions
    ) -> BatchRuns:
        return self.trigger(
            task, [each async for each in items] if isinstance(items, AsyncIterable) else items, options
        )

    def retrieve(self, batch_id: str) -> Batch:
        return RECORD

    def wait(self, run_ids: Sequence[str], timeout: timedelta | None) -> list[RunEnd]:
        self.asked.append((list(run_ids), timeout))
        return self.ends

    def replay(self, run_id: str) -> str:
        return "run_2"

    def reschedule(self, run_id: str, due: datetime | timedelta) -> datetime:
        self.asked.append((run_id, due))
        return NOW

    def bulk(self, *asked: object) -> BulkAction:
        self.asked.append(asked)
        return BulkAction("cancel", 0)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Recording:
    """The engine that the verbs reach in a test."""
    recording = Recording()
    monkeypatch.setattr(CURRENT, "application", SimpleNamespace(engine=recording))
    return recording


def declare_invoice() -> Task[int, str]:
    @task()
    def invoice(payload: int) -> str:
        return str(payload)

    return invoice


async def test_a_batch_hands_task_items_and_options_to_the_engine(engine: Recording) -> None:
    """By task, by id, mixed; the twins in nothing but `await`."""
    invoice = declare_invoice()

    async def items() -> AsyncIterator[int]:
        yield 5

    options = BatchOptions(True, idempotency_keys.create("k"), timedelta(hours=1))
    await invoice.abatch_trigger(items(), atomic=True, idempotency_key="k", idempotency_key_ttl="1h")
    await tasks.abatch_trigger("invoice", [5])
    await batch.atrigger([(invoice, 5)])
    assert engine.asked == [
        (invoice.definition, [5], options),
        ("invoice", [5], BatchOptions()),
        (None, [(invoice, 5)], BatchOptions()),
    ]


def test_an_items_options_are_those_of_a_trigger(engine: Recording) -> None:
    """They are checked when it is triggered, so that a mistake is that of one item."""
    item = BatchItem(5, delay="5m", tags="a", test=True)
    assert item.options() == TriggerOptions(delay=timedelta(minutes=5), tags=("a",), test=True)
    with pytest.raises(TriggerOptionError):
        BatchItem(5, delay=-1).options()
    with pytest.raises(TriggerOptionError):
        declare_invoice().batch_trigger([5], idempotency_key_ttl="soon")
    assert engine.asked == []


def test_the_results_are_in_the_order_of_the_items(engine: Recording) -> None:
    """A bad item has one, too; nothing is raised before it is unwrapped."""
    made = declare_invoice().batch_trigger([1, 2, 3])
    engine.ends = [(RunStatus.COMPLETED, b'"one"', None), (RunStatus.FAILED, None, RunError("E", "why"))]
    first, second, third = made.results("1m")
    assert engine.asked[-1] == (["run_1", "run_3"], timedelta(minutes=1))
    assert (first.ok, first.unwrap(), first.run_id) == (True, "one", "run_1")
    assert (second.ok, second.error) == (False, RunError("PayloadError", "no"))
    with pytest.raises(RunFailedError, match="why"):
        third.unwrap()
    assert (made.run_ids, made.errors, len(made)) == (("run_1", "run_3"), (WRONG,), 3)
    assert [handle.id for handle in made.runs()] == ["run_1", "run_3"]
    assert (made.retrieve(), made.progress().finished, RECORD.run_count) == (RECORD, 1, 2)


def test_the_further_verbs_of_runs_ask_the_engine(engine: Recording) -> None:
    """By id and by handle."""
    handle: RunHandle[object] = RunHandle("run_1")
    assert handle.replay() == runs.replay("run_1") == RunHandle("run_2")
    assert handle.reschedule("5m") == runs.reschedule("run_1", NOW) == NOW
    where = RunFilter(task="t")
    runs.bulk_cancel(["run_1"])
    runs.bulk_replay(where=where)
    assert engine.asked == [
        ("run_1", timedelta(minutes=5)),
        ("run_1", NOW),
        ("cancel", ["run_1"], None),
        ("replay", where, None),
    ]
    with pytest.raises(RunFilterError, match="at least one condition"):
        runs.bulk_cancel(where=RunFilter())


def test_a_bulk_action_knows_how_far_it_is() -> None:
    """It is what the callback gets and what the verb returns."""
    action = BulkAction("cancel", 3)
    action.add(1, [BulkFailure("run_2", "why")])
    assert (action.status, action.success, action.failure) == (BulkStatus.PENDING, 1, 1)
    action.abort()
    assert action.status == "ABORTED"
    action.add(1, [])
    assert action.status == "COMPLETED"


@pytest.mark.parametrize(
    "verb, twin",
    [
        (lambda: declare_invoice().batch_trigger([5]), "invoice.abatch_trigger"),
        (lambda: tasks.batch_trigger("invoice", [5]), "tasks.abatch_trigger"),
        (lambda: batch.trigger([]), "batch.atrigger"),
        (lambda: batch.retrieve("batch_1"), "batch.aretrieve"),
        (lambda: BatchHandle[int](BatchRuns("b", (), (), ())).results(), "batch.aresults"),
        (lambda: runs.replay("run_1"), "runs.areplay"),
        (lambda: runs.subscribe("run_1"), "runs.asubscribe"),
        (lambda: runs.bulk_cancel(["run_1"]), "runs.abulk_cancel"),
        (lambda: RunHandle[object]("run_1").subscribe(), "handle.asubscribe"),
    ],
)
async def test_a_blocking_verb_in_an_event_loop_names_its_twin(
    engine: Recording, verb: Callable[[], object], twin: str
) -> None:
    """It would stop every other coroutine of the process, without any sign of why."""
    with pytest.raises(BlockingCallError, match=twin):
        verb()
    assert engine.asked == []
