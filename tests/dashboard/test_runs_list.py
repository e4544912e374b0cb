"""The list of runs: columns to choose, filters that exclude, ids by their last digits, and lists without runs."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from taskflow.server.dashboard.live.topic import Follower
from taskflow.server.dashboard.pages.runs.live import follow
from tests.dashboard.test_runs import ids_of, trigger_some
from tests.projects import fleet_tasks
from tests.support.dashboard import Dashboard
from tests.support.past_runs import keep_runs

HEAD = re.compile(r'<th role="columnheader" class="c-further[^"]*">([^<]+)</th>')
CELL = re.compile(r'<td role="cell" class="c-further[^"]*">(.*?)</td>')


async def test_columns_are_chosen_by_the_address_and_remembered(dashboard: Dashboard) -> None:
    """A cookie keeps them for addresses without any; an empty choice is one, too."""
    await fleet_tasks.echo.atrigger(1, idempotency_key="order-7", delay=timedelta(hours=1))
    viewer = await dashboard.visitor("viewer")
    assert HEAD.findall((await viewer.get("runs")).text) == []
    address = (
        f"/{dashboard.flow.settings.environment}/runs?cols=&cols=key&cols=machine&cols=queue&cols=waited&cols=none"
    )
    page = (await viewer.client.get(address)).text
    assert HEAD.findall(page) == ["Queue", "Machine", "Waited", "Key"]
    queue, machine, waited, key = CELL.findall(page)
    assert "runs?queue=task%2Ft-echo" in queue
    assert ">small-1x</a>" in machine
    assert 'data-time="running"' in waited
    assert 'title="order-7"' in key
    kept = (await viewer.get("runs", task="t-echo")).text
    assert HEAD.findall(kept) == ["Queue", "Machine", "Waited", "Key"]
    assert re.search(r'/live\?[^"]*cols%3Dkey', kept), "live rows have the columns, too"
    assert HEAD.findall((await viewer.get("runs", cols="")).text) == []
    assert HEAD.findall((await viewer.get("runs")).text) == []


async def test_live_rows_have_the_chosen_columns(dashboard: Dashboard) -> None:
    """Two pages with other columns get other rows of one run."""
    run_id = (await fleet_tasks.echo.atrigger(1, delay=timedelta(hours=1))).id
    for columns, cells in (("", 0), ("cols=queue&cols=batch", 2)):
        parts: list[str] = []

        async def listen(columns: str = columns, parts: list[str] = parts) -> None:
            async for message in follow(Follower(dashboard.flow.engine, columns)):
                parts.append(message.parts)

        listening = asyncio.create_task(listen())
        try:
            async with asyncio.timeout(20):
                while f'id="{run_id}"' not in "".join(parts):
                    await dashboard.flow.engine.runs.areschedule(run_id, timedelta(hours=2))
                    await asyncio.sleep(0.1)
        finally:
            listening.cancel()
        row = next(part for part in parts if f'id="{run_id}"' in part)
        assert len(CELL.findall(row)) == cells * row.count("<tr")


async def test_a_mark_before_a_task_or_status_excludes_it(dashboard: Dashboard) -> None:
    """The chip says so, and leads to the address without it."""
    other = (await fleet_tasks.echo.atrigger(1)).id
    [canceled, queued] = await trigger_some(dashboard, 2)
    await dashboard.flow.engine.runs.acancel(canceled)
    viewer = await dashboard.visitor("viewer")
    assert await ids_of(viewer, task="!no-such-task") == [other]
    assert set(await ids_of(viewer, status="!CANCELED")) == {other, queued}
    page = (await viewer.get("runs", task="!no-such-task")).text
    assert re.search(r'href="[^"]*/runs" aria-label="Remove filter: Task is not no-such-task"', page)
    both = (await viewer.client.get(f"/{dashboard.flow.settings.environment}/runs?task=t-echo&task=!no-such-task")).text
    assert 'aria-label="Remove filter: Task is t-echo"' in both
    form = await viewer.get("runs", status_is="not", status="CANCELED", period="24h", task="")
    assert form.headers["location"].endswith("/runs?status=%21CANCELED&period=24h")
    assert 'value="not" checked' in (await viewer.get("runs", status="!CANCELED")).text


async def test_runs_without_a_parent_are_a_filter(dashboard: Dashboard) -> None:
    """(Every run of this test is one.)"""
    [run_id] = await trigger_some(dashboard, 1)
    viewer = await dashboard.visitor("viewer")
    assert await ids_of(viewer, roots="1") == [run_id]
    assert "Remove filter: Without a parent" in (await viewer.get("runs", roots="1")).text


async def test_the_last_digits_of_an_id_open_its_run(shop: Dashboard) -> None:
    """Of a run of the store, and of one that only the history has. Digits of no run are searched as error text."""
    keep_runs(shop, "past", completed=1)
    viewer, environment = await shop.visitor("viewer"), shop.flow.settings.environment
    [run_id] = await trigger_some(shop, 1)
    found = await viewer.get("runs", q=run_id[-8:].upper())
    assert found.headers["location"] == f"/{environment}/runs/{run_id}"
    old = await viewer.get("runs", q="00000000", period="1h")
    assert old.headers["location"] == f"/{environment}/runs/run_past00000000"
    none = await viewer.get("runs", q="deadbeef")
    assert none.headers["location"] == f"/{environment}/runs?error=deadbeef"


async def test_an_end_of_several_ids_lists_them(shop: Dashboard) -> None:
    """(Two runs whose ids end alike.)"""
    keep_runs(shop, "one", completed=1)
    keep_runs(shop, "two", completed=1)
    viewer = await shop.visitor("viewer")
    found = await viewer.get("runs", q="00000000")
    assert found.headers["location"].endswith("/runs?id=00000000&period=all")
    page = (await viewer.get("runs", id="00000000", period="all")).text
    assert re.findall(r'<tr role="row" id="(\w+)"', page) == ["run_two00000000", "run_one00000000"]


@pytest.mark.parametrize(
    "query, words",
    [
        ("task=t-echo&task=!t-echo", "Task is t-echo and Task is not t-echo exclude each other."),
        ("status=QUEUED&status=COMPLETED&error=boom", "such a run has no error"),
        ("roots=1&parent=run_1", "exclude each other"),
        ("schedule=sched_1&root=run_1", "exclude each other: a schedule&#39;s runs have no parent"),
        ("from=2026-11-02&to=2026-11-01", "From is not before Until"),
        ("from=2999-01-01", "From is in the future"),
        ("status=FAILED&status=!FAILED", "excludes every status"),
    ],
)
async def test_filters_that_exclude_each_other_say_so(dashboard: Dashboard, query: str, words: str) -> None:
    """An empty list would look like an answer."""
    viewer = await dashboard.visitor("viewer")
    page = (await viewer.client.get(f"/{dashboard.flow.settings.environment}/runs?{query}")).text
    assert "No run can match." in page
    assert words in page
    assert "No runs yet" not in page


async def test_a_list_without_runs_says_whether_there_are_any(dashboard: Dashboard) -> None:
    """Nothing exists: how a run comes to be. Nothing matches: the filters in words, a longer period, and a way out."""
    operator = await dashboard.visitor("operator")
    nothing = (await operator.get("runs")).text
    assert "No runs yet" in nothing
    assert "taskflow worker --machine all" in nothing
    assert "Test a task" in nothing
    await trigger_some(dashboard, 1)
    page = (await operator.get("runs", status="FAILED", tag="x", period="1h")).text
    assert "No run matches these filters" in page
    assert "Status is Failed, Tag is x, last hour." in page
    assert re.search(r'href="[^"]*period=24h[^"]*">Last 24 h</a>', page)
    assert re.search(r'href="[^"]*period=all[^"]*">All time</a>', page)
    assert "Clear filters" in page
    until = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    past = (await operator.get("runs", to=until)).text
    assert "No run matches these filters" in past
    assert re.search(r"<p>Until \d+ \w+ \d{4}, \d\d:\d\d:\d\d\.</p>", past)


async def test_the_strip_has_the_instants_of_its_ends(shop: Dashboard) -> None:
    """Dragging over it turns places into from and to; the strip of such a time is its own."""
    keep_runs(shop, "past", completed=3, failed=1)
    viewer = await shop.visitor("viewer")
    drag = re.compile(r'data-drag="0:(\d+),100:(\d+)"')
    day = drag.search((await viewer.get("runs")).text)
    assert day
    assert (int(day[2]) - int(day[1])) / 3_600_000 == pytest.approx(24, abs=0.1)
    now = datetime.now(UTC)
    chosen = {"from": (now - timedelta(hours=3)).isoformat(), "to": (now - timedelta(minutes=5)).isoformat()}
    page = (await viewer.get("runs", **chosen)).text
    hours = drag.search(page)
    assert hours
    assert (int(hours[2]) - int(hours[1])) / 60_000 == pytest.approx(175, abs=1)
    assert "Completed 3" in page
    assert "Chosen time" in page
    assert "data-drag" not in (await viewer.get("runs", tag="x")).text
