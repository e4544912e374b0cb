"""``schedules``: declarations at import, and what the verbs hand to the engine."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from taskflow.definition.registry import declared
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.definition.scheduling.schedule import Schedule, ScheduledPayload
from taskflow.errors import BlockingCallError, CronError, DefinitionError, ScheduleError
from taskflow.seams.current_application import CURRENT
from taskflow.verbs.schedules import schedules

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def a_schedule(**fields: Any) -> Schedule:
    """Return a schedule by cron."""
    given: dict[str, Any] = {
        "id": "sched_1", "task_id": "nightly", "cron": "0 3 * * *", "every": None, "timezone": "UTC",
        "is_active": True, "is_declared": False, "deduplication_key": None, "external_id": None,
        "next_run": NOW, "next_fire": NOW, "last_run": None, "last_run_id": None, "overlap": "allow",
        "catch_up": "none", "jitter": None, "anchor": None, "created_at": NOW, "updated_at": NOW,
    }  # fmt: skip
    return Schedule(**{**given, **fields})


class RecordingEngine:
    """An engine that remembers the calls of its schedules."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, tuple[object, ...]]] = []

    def __getattr__(self, name: str) -> Callable[..., object]:
        def blocking(*arguments: object) -> object:
            self.asked.append((name, arguments))
            return "run_1" if name == "run_now" else a_schedule()

        async def awaited(*arguments: object) -> object:
            return blocking(*arguments) if name != "arun_now" else "run_1"

        return awaited if name.startswith("a") and name != "activate" else blocking


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordingEngine]:
    """The engine of the current application."""
    made = RecordingEngine()
    monkeypatch.setattr(CURRENT, "application", SimpleNamespace(engine=SimpleNamespace(schedules=made)))
    with declared.isolated():
        yield made


def test_a_declared_task_has_its_schedule_and_its_own_options(engine: RecordingEngine) -> None:
    """One decorator declares both."""

    @schedules.task(id="nightly-unit", cron="0  3 * * *", timezone="Europe/Berlin", jitter="30%", tags="report")
    def nightly(payload: ScheduledPayload) -> None: ...

    definition = declared.get("nightly-unit")
    assert definition is nightly.definition
    assert definition.schedule == ScheduleOptions(cron="0 3 * * *", timezone="Europe/Berlin", jitter="30%")
    assert definition.tags == ("report",)


@pytest.mark.parametrize(
    "options, kind, remedy",
    [
        ({"cron": "0 3 * *"}, CronError, "0 3 \\* \\* \\*"),
        ({"cron": "@daily", "every": "1s"}, ScheduleError, "one of the two"),
        ({"timezone": "Europe/Berlin"}, ScheduleError, "cron="),
        ({"cron": "@daily", "timezone": "Europe/Berln"}, ScheduleError, "Europe/Berlin"),
        ({"cron": "@daily", "timezon": "UTC"}, DefinitionError, "timezone"),
        ({"every": "500ms"}, ScheduleError, "at least a second"),
        ({"every": "1.5s"}, ScheduleError, "whole seconds"),
        ({"every": "1s", "quue": "q"}, DefinitionError, "queue"),
    ],
)
def test_a_wrong_declaration_is_refused_at_import(
    engine: RecordingEngine, options: dict[str, Any], kind: type[Exception], remedy: str
) -> None:
    """With a remedy, before a worker starts."""
    with pytest.raises(kind, match=remedy):

        @schedules.task(id="wrong-unit", **options)
        def wrong() -> None: ...

    assert "wrong-unit" not in declared


def test_a_verb_hands_checked_options_to_the_engine(engine: RecordingEngine) -> None:
    """Its twin does the same."""
    schedules.create("nightly", every="90s", external_id="c")
    asyncio.run(schedules.acreate("nightly", every=90, external_id="c"))
    expected = ("nightly", ScheduleOptions(every=timedelta(seconds=90), external_id="c"))
    assert engine.asked == [("create", expected), ("acreate", expected)]
    schedules.update("sched_1", cron="@daily", task="other")
    assert engine.asked[-1] == ("update", ("sched_1", {"cron": "@daily"}, "other"))


@pytest.mark.parametrize(
    "call",
    [
        lambda: schedules.create(5, every="1s"),  # type: ignore[arg-type]  # no task
        lambda: schedules.create("t", evry="1s"),  # type: ignore[call-arg]  # misspelt
        lambda: schedules.update("sched_1", deduplication_key="k"),  # type: ignore[call-arg]  # stays
        lambda: schedules.list(page=0),
        lambda: schedules.list(per_page=10_000),
    ],
)
def test_a_wrong_call_reaches_no_engine(engine: RecordingEngine, call: Callable[[], object]) -> None:
    """Nothing is written."""
    with pytest.raises(ScheduleError):
        call()
    assert engine.asked == []


@pytest.mark.parametrize("verb", ["retrieve", "activate", "deactivate", "delete", "run_now"])
def test_a_blocking_verb_names_its_twin_in_an_event_loop(engine: RecordingEngine, verb: str) -> None:
    """And the twin works there."""

    async def call() -> None:
        with pytest.raises(BlockingCallError, match=f"schedules.a{verb}"):
            getattr(schedules, verb)("sched_1")
        twin: Coroutine[Any, Any, object] = getattr(schedules, f"a{verb}")("sched_1")
        await twin

    asyncio.run(call())
    assert [name for name, _ in engine.asked] in ([f"a{verb}"], [])


def test_the_next_ticks_of_a_schedule_can_be_seen() -> None:
    """None while it is inactive."""
    assert [f"{tick:%d %H}" for tick in a_schedule().upcoming(3)] == ["01 00", "01 03", "02 03"]
    assert a_schedule(next_run=None).upcoming() == []
