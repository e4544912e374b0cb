"""Schedules with a payload of their own, and ticks that begin at another instant than now. Runs execute in place."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from pydantic import BaseModel

from taskflow import Schedule, ScheduledPayload, ScheduleError, schedules, task
from taskflow.definition.registry import declared
from taskflow.testing import advance, inline, now, triggered


class Report(BaseModel):
    """The payload of a task."""

    kind: str
    days: int = 1


@pytest.fixture(autouse=True)
def _stage() -> Iterator[None]:
    with declared.isolated(is_empty=True), inline():

        @task(id="sp-sweep")
        def sweep(folder: str, days: int = 30) -> str:
            return f"{folder} {days}"

        @task(id="sp-report")
        def report(payload: Report) -> str:
            return f"{payload.kind} {payload.days}"

        @task(id="sp-tick")
        def tick(payload: ScheduledPayload) -> str:
            return payload.timestamp.isoformat()

        @task(id="sp-bare")
        def bare() -> None: ...

        yield


def ticks(made: Schedule) -> list[str]:
    """Return the outputs of the runs of ``sp-tick``."""
    return [str(run.output) for run in triggered("sp-tick") if run.schedule_id == made.id]


def test_a_schedule_gives_its_runs_the_payload_that_it_was_made_with() -> None:
    """Any task can be scheduled so: with several parameters, or with a model."""
    schedules.create("sp-sweep", every="1h", payload={"folder": "/tmp", "days": 7})
    made = schedules.create("sp-report", cron="0 6 * * *", payload=Report(kind="sales"))
    assert made.payload == {"kind": "sales", "days": 1}
    assert schedules.retrieve(made.id) == made
    advance(days=1)
    assert {run.output for run in triggered("sp-sweep")} == {"/tmp 7"}
    assert [run.output for run in triggered("sp-report")] == ["sales 1"]
    assert schedules.update(made.id, payload=Report(kind="stock", days=2)).payload == {"kind": "stock", "days": 2}
    assert schedules.update(made.id, cron="0 7 * * *").payload == {"kind": "stock", "days": 2}
    assert schedules.run_now(made.id).result(timeout=10) == "stock 2"


@pytest.mark.parametrize(
    "task_id, payload, words",
    [
        ("sp-sweep", {"foldr": "/tmp"}, "does not fit"),
        ("sp-sweep", None, "payload={...}"),
        ("sp-report", {"days": 1}, "kind"),
        ("sp-bare", {"days": 1}, "takes none"),
        ("sp-report", {"kind": float("nan")}, "not possible"),
        ("sp-report", {"kind": "x" * 70_000}, "64 KB"),
        ("sp-report", object(), "not possible"),
    ],
)
def test_a_payload_that_does_not_fit_is_refused_before_a_schedule_is_made(
    task_id: str, payload: Any, words: str
) -> None:
    """Each of its ticks would make a run that fails."""
    with pytest.raises(ScheduleError) as refused:
        schedules.create(task_id, every="1h", payload=payload)
    assert words in str(refused.value)
    assert len(schedules.list()) == 0


def test_a_payload_that_does_not_fit_changes_nothing() -> None:
    """The schedule goes on with the one it has."""
    made = schedules.create("sp-report", every="1h", payload={"kind": "sales"})
    with pytest.raises(ScheduleError):
        schedules.update(made.id, payload={"days": 2})
    with pytest.raises(ScheduleError):
        schedules.update(made.id, payload=None)
    assert schedules.retrieve(made.id) == made


@pytest.mark.parametrize("catch_up, made_up", [("none", 0), ("last", 1), ("all", 3)])
def test_ticks_since_a_start_in_the_past_are_made_up_for_as_catch_up_says(catch_up: Any, made_up: int) -> None:
    """A schedule takes over from another scheduler at the tick that this one has fired last."""
    start = now() - timedelta(minutes=70)
    made = schedules.create("sp-tick", every="20m", start=start, catch_up=catch_up)
    advance(seconds=1)
    assert made.anchor is not None
    assert timedelta() <= start - made.anchor < timedelta(milliseconds=1)
    missed = [(made.anchor + timedelta(minutes=20 * number)).isoformat() for number in (1, 2, 3)]
    assert ticks(made) == missed[3 - made_up :]
    advance(minutes=20)
    assert len(ticks(made)) == made_up + 1


def test_ticks_begin_behind_a_start_in_the_future() -> None:
    """A period counts from there on; a cron expression is as always."""
    start = (now() + timedelta(days=2)).replace(microsecond=0)
    period = schedules.create("sp-tick", every="1h", start=start)
    cron = schedules.create("sp-tick", cron="0 * * * *", start=start)
    assert period.next_run == start + timedelta(hours=1)
    assert cron.next_run is not None
    assert timedelta() < cron.next_run - start <= timedelta(hours=1)
    advance(days=2, minutes=-1)
    assert triggered("sp-tick") == []


def test_a_start_does_not_move_a_schedule_that_is_there() -> None:
    """A program that makes its schedules at each start would fire the same ticks again."""
    start = now() - timedelta(minutes=70)
    made = schedules.create("sp-tick", every="20m", start=start, catch_up="all", deduplication_key="k")
    advance(seconds=1)
    again = schedules.create("sp-tick", every="20m", start=start, catch_up="all", deduplication_key="k")
    changed = schedules.create("sp-tick", every="30m", start=start, catch_up="all", deduplication_key="k")
    advance(seconds=1)
    assert made.id == again.id == changed.id
    assert len(ticks(made)) == 3
    with pytest.raises(ScheduleError, match="time zone"):
        schedules.create("sp-tick", every="1h", start=start.replace(tzinfo=None))
