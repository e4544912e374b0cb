"""A part of a run's time: the axis between two instants, and the log lines that the address asks for."""

import re
from datetime import UTC, datetime, timedelta

import pytest

from taskflow.engine.trace.rows import SpanKind, Trace, TraceRow, TraceSpan
from taskflow.models import Run, RunStatus
from taskflow.server.dashboard.pages.run.axis import axis_of
from tests.conftest import StartFleet
from tests.projects import fleet_tasks
from tests.projects import spanned_tasks as tasks
from tests.support.dashboard import Dashboard
from tests.support.fleet import TASKS
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

START = datetime(2026, 1, 1, tzinfo=UTC)


def at(seconds: float) -> datetime:
    """Return an instant after the start."""
    return START + timedelta(seconds=seconds)


def a_trace(seconds: float) -> Trace:
    """Return the trace of a run that took so long."""
    run = Run("run_1", "t", RunStatus.COMPLETED, "q", "small-1x", "process", START, 1, finished_at=at(seconds))
    span = TraceSpan("run", None, SpanKind.RUN, "t", START, at(seconds))
    return Trace(run, (TraceRow(span, 0),), at(seconds))


def test_a_part_of_the_axis_is_true_to_scale() -> None:
    """Its ticks are those of the whole time, and what lies outside has no place."""
    axis = axis_of(a_trace(100), folded=True, between=(at(20), at(30)))
    assert [axis.at(at(each)) for each in (10, 20, 25, 30, 40)] == [0, 0, 50, 100, 100]
    assert [label.replace("\u00a0", " ") for _, label in axis.ticks] == ["20 s", "22 s", "24 s", "26 s", "28 s"]
    assert axis.has(at(0), at(25))
    assert axis.has(at(29), at(99))
    assert not axis.has(at(0), at(19))
    assert not axis.has(at(31), at(99))
    assert axis.drag == f"0:{at(20).timestamp() * 1000:.0f},100:{at(30).timestamp() * 1000:.0f}"
    assert axis_of(a_trace(100), folded=True).has(at(-5), at(-4))


@pytest.mark.parametrize("query", [("x", "y"), ("2026-01-02", "2026-01-01"), ("", "2026-01-01"), ("2026-01-01", "")])
async def test_a_time_that_is_none_shows_the_whole_run(dashboard: Dashboard, query: tuple[str, str]) -> None:
    """An address may come from anywhere."""
    handle = await fleet_tasks.echo.atrigger(1)
    viewer = await dashboard.visitor("viewer")
    page = (await viewer.get(f"runs/{handle.id}", **{"from": query[0], "to": query[1]})).text
    assert "Whole time" not in page
    assert re.search(r'data-drag="0:\d+,100:\d+"', page)


async def test_a_time_of_a_run_is_kept_in_its_links(dashboard: Dashboard) -> None:
    """The way back to the whole time is beside the trace."""
    handle = await fleet_tasks.echo.atrigger(1)
    made = (await handle.aretrieve()).created_at
    viewer = await dashboard.visitor("viewer")
    chosen = {"from": (made + timedelta(hours=1)).isoformat(), "to": (made + timedelta(hours=2)).isoformat()}
    page = (await viewer.get(f"runs/{handle.id}", **chosen)).text
    assert "Whole time" in page
    assert "data-grows" not in page
    assert re.search(r'href="[^"]*span=run&amp;from=', page) or "from=" in page
    assert not re.search(r'<rect[^>]* height="12"', page), "nothing of the run is in this time"


async def test_log_lines_are_copied_and_downloaded_as_they_are_filtered(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """By level, attempt and text; all of them without a filter."""
    fleet = start_fleet(valkey.url)
    fleet.start_node(TASKFLOW_TASKS=f"{TASKS},tests.projects.spanned_tasks")
    viewer = await Dashboard(fleet.flow).visitor("viewer")
    handle = await tasks.everything.atrigger(2)
    assert await handle.aresult(timeout=30) == 6
    wait_until(lambda: len(fleet.flow.engine.traces.trace(handle.id).lines) >= 6, "its log lines")
    everything = await viewer.get(f"runs/{handle.id}/logs")
    assert everything.headers["content-disposition"].startswith("inline")
    assert everything.text.count("within") == 2
    warnings = await viewer.get(f"runs/{handle.id}/logs", level="WARNING", attempt="1", download="1")
    assert warnings.headers["content-disposition"].startswith("attachment")
    assert re.fullmatch(r"\S+ WARNING \S+: within.*\n", warnings.text)
    page = (await viewer.get(f"runs/{handle.id}", view="logs", level="WARNING", q="within")).text
    assert f"runs/{handle.id}/logs?q=within&amp;level=WARNING" in page
    assert "download=1" in page
