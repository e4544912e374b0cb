"""The verbs of tasks and handles: what they hand to the engine, and what they make of its answers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from taskflow.definition.calls.idempotency import idempotency_keys
from taskflow.definition.calls.run_filter import ALL_RUNS, RunFilter, RunPage
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.machine import Machine
from taskflow.definition.queue import Queue
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import BlockingCallError, DefinitionError, TriggerOptionError
from taskflow.models import Run, RunStatus
from taskflow.seams.current_application import CURRENT
from taskflow.seams.engine import Triggered
from taskflow.seams.waits import Waiter
from taskflow.verbs.decorator import task
from taskflow.verbs.run_handle import RunHandle
from taskflow.verbs.task import Task

NOW = datetime(2030, 1, 1, tzinfo=UTC)
RECORD = Run("run_1", "invoice", RunStatus.QUEUED, "task/invoice", "small-1x", "process", NOW, 3)


class Invoice(BaseModel):
    url: str


@dataclass
class RecordingEngine:
    """An engine of one run that remembers what it was asked."""

    stored: bytes = b"null"
    asked: list[tuple[object, ...]] = field(default_factory=lambda: [])

    @property
    def runs(self) -> "RecordingEngine":
        return self

    def trigger(
        self, task: TaskDefinition, payload: object, options: TriggerOptions, waiter: Waiter | None = None
    ) -> Triggered:
        self.asked.append((task, payload, options))
        return Triggered("run_1", is_cached=True)

    async def atrigger(
        self, task: TaskDefinition, payload: object, options: TriggerOptions, waiter: Waiter | None = None
    ) -> Triggered:
        return self.trigger(task, payload, options)

    def status(self, run_id: str) -> RunStatus:
        return RunStatus.QUEUED

    async def astatus(self, run_id: str) -> RunStatus:
        return RunStatus.QUEUED

    def retrieve(self, run_id: str) -> Run:
        return RECORD

    async def aretrieve(self, run_id: str) -> Run:
        return RECORD

    def cancel(self, run_id: str) -> bool:
        return True

    async def acancel(self, run_id: str) -> bool:
        return True

    def output(self, run_id: str, timeout: timedelta | None) -> bytes:
        self.asked.append((run_id, timeout))
        return self.stored

    async def aoutput(self, run_id: str, timeout: timedelta | None) -> bytes:
        return self.output(run_id, timeout)

    def list(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        return RunPage((RECORD,)[:limit], cursor)

    async def alist(self, limit: int, wanted: RunFilter = ALL_RUNS, cursor: str | None = None) -> RunPage:
        return self.list(limit, wanted, cursor)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> RecordingEngine:
    """The engine that the verbs reach in a test."""
    recording = RecordingEngine()
    monkeypatch.setattr(CURRENT, "application", SimpleNamespace(engine=recording))
    return recording


def declare_invoice() -> Task[int, Invoice]:
    @task()
    def invoice(payload: int) -> Invoice:
        return Invoice(url=str(payload))

    return invoice


def test_trigger_hands_task_payload_and_options_to_the_engine(engine: RecordingEngine) -> None:
    """The definition layer does no I/O: all it may lose on the way is an option."""
    invoice = declare_invoice()
    handle = invoice.trigger(
        5,
        queue="slow",
        concurrency_key=7,
        machine=Machine(cpu=2),
        delay="1h",
        ttl="10m",
        priority=timedelta(minutes=1),
        tags="a",
        metadata={"a": [1]},
        idempotency_key="k",
        idempotency_key_ttl="1d",
        max_attempts=1,
        max_duration=90,
        test=True,
    )
    options = TriggerOptions(
        queue="slow",
        concurrency_key="7",
        machine=Machine(cpu=2),
        delay=timedelta(hours=1),
        ttl=timedelta(minutes=10),
        priority=60.0,
        tags=("a",),
        metadata=b'{"a":[1]}',
        idempotency_key=idempotency_keys.create("k"),
        idempotency_key_ttl=timedelta(days=1),
        max_attempts=1,
        max_duration=timedelta(seconds=90),
        test=True,
    )
    assert engine.asked == [(invoice.definition, 5, options)]
    assert handle == RunHandle("run_1")


async def test_atrigger_hands_over_the_same(engine: RecordingEngine) -> None:
    """The twin differs in nothing but `await`."""
    invoice = declare_invoice()
    handle = await invoice.atrigger(5, delay=NOW, max_attempts=2)
    assert engine.asked == [(invoice.definition, 5, TriggerOptions(delay=NOW, max_attempts=2))]
    assert handle.id == "run_1"
    assert handle.is_cached


def test_a_task_without_payload_is_triggered_without_one(engine: RecordingEngine) -> None:
    """`tick.trigger()` reads as what it is."""

    @task()
    def tick() -> None: ...

    tick.trigger()
    assert engine.asked == [(tick.definition, None, TriggerOptions())]


def test_the_result_is_of_the_annotated_type(engine: RecordingEngine) -> None:
    """The store holds JSON; the caller gets the model."""
    engine.stored = b'{"url":"a"}'
    handle = declare_invoice().trigger(5)
    assert handle.result(timeout="90s") == Invoice(url="a")
    assert engine.asked[-1] == ("run_1", timedelta(seconds=90))


def test_the_result_of_an_unknown_task_is_plain_json(engine: RecordingEngine) -> None:
    """A handle can be made of a stored id alone."""
    engine.stored = b'{"url":"a"}'
    handle: RunHandle[object] = RunHandle("run_1")
    assert handle.result() == {"url": "a"}
    assert engine.asked == [("run_1", None)]


def test_a_handle_asks_for_status_record_and_cancel(engine: RecordingEngine) -> None:
    """It keeps no state, so it can never be out of date."""
    handle = declare_invoice().trigger(5)
    assert (handle.status(), handle.retrieve(), handle.cancel()) == (RunStatus.QUEUED, RECORD, True)


async def test_the_twins_of_a_handle_do_the_same(engine: RecordingEngine) -> None:
    """An async caller misses nothing."""
    engine.stored = b'{"url":"a"}'
    handle = await declare_invoice().atrigger(5)
    assert (await handle.astatus(), await handle.aretrieve(), await handle.acancel()) == (
        RunStatus.QUEUED,
        RECORD,
        True,
    )
    assert await handle.aresult(timeout=1) == Invoice(url="a")


@pytest.mark.parametrize(
    "verb, twin",
    [
        (lambda: declare_invoice().trigger(5), "invoice.atrigger"),
        (lambda: RunHandle[object]("run_1").status(), "handle.astatus"),
        (lambda: RunHandle[object]("run_1").result(), "handle.aresult"),
        (lambda: RunHandle[object]("run_1").retrieve(), "handle.aretrieve"),
        (lambda: RunHandle[object]("run_1").cancel(), "handle.acancel"),
    ],
)
async def test_a_blocking_verb_in_an_event_loop_names_its_twin(
    engine: RecordingEngine, verb: Callable[[], object], twin: str
) -> None:
    """It would stop every other coroutine of the process, without any sign of why."""
    with pytest.raises(BlockingCallError, match=twin):
        verb()
    assert engine.asked == []


@pytest.mark.parametrize(
    "options, words",
    [
        ({"delay": -1}, "never negative"),
        ({"delay": "soon"}, "1h30m"),
        ({"delay": datetime(2030, 1, 1)}, "aware datetime"),
        ({"tags": ["x"] * 3 + [""]}, "1 to 128"),
        ({"tags": [str(n) for n in range(11)]}, "at most 10"),
        ({"tags": [5]}, "1 to 128"),
        ({"idempotency_key": ""}, "1 to 2048"),
        ({"idempotency_key": "k" * 2049}, "1 to 2048"),
        ({"max_attempts": 0}, "whole number from 1"),
        ({"max_attempts": True}, "whole number from 1"),
        ({"queue": "a b"}, "characters"),
        ({"queue": ""}, "characters"),
        ({"queue": Queue(concurrency_limit=1)}, "Give the queue a name"),
    ],
)
def test_an_option_that_is_not_possible_is_refused_before_anything_is_written(
    engine: RecordingEngine, options: dict[str, Any], words: str
) -> None:
    """An option that fails in the worker fails when nobody looks."""
    with pytest.raises(TriggerOptionError, match=words) as refused:
        declare_invoice().trigger(5, **options)
    assert isinstance(refused.value, ValueError)
    assert engine.asked == []


def test_a_wrong_timeout_is_named() -> None:
    """`result(timeout=-1)` must not wait for ever."""
    with pytest.raises(DefinitionError, match="timeout"):
        RunHandle[object]("run_1").result(timeout=-1)
