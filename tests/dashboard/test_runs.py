"""The page of runs: filters in the address, pages by cursor, search, many runs at once, and live updates."""

import asyncio
import re
from datetime import UTC, datetime, timedelta

import pytest

from taskflow import RunStatus
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.models import Run, RunError
from taskflow.server.dashboard.live.topic import Follower
from taskflow.server.dashboard.pages.runs.live import follow
from taskflow.server.dashboard.view.now import now_short
from tests.support.dashboard import Dashboard, Visitor

_HOSTILE = "<script>alert(1)</script>\x1b[31m&\"'"
_IDS = re.compile(r'<tr role="row" id="(run_[0-9a-f]+)"')


async def trigger_some(dashboard: Dashboard, count: int, **options: object) -> list[str]:
    """Trigger runs that no worker executes. Returns their ids, newest first."""
    given = TriggerOptions.checked(**options)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType] - options of `trigger`
    runs = [await dashboard.flow.engine.runs.atrigger("no-such-task", {}, given) for _ in range(count)]
    return [run.run_id for run in reversed(runs)]


async def ids_of(visitor: Visitor, **query: str) -> list[str]:
    page = await visitor.get("runs", **query)
    assert page.status_code == 200
    return _IDS.findall(page.text)


async def test_pages_by_cursor_have_every_run_once(dashboard: Dashboard) -> None:
    """Older and Newer lead through all runs and back."""
    made = await trigger_some(dashboard, 60)
    viewer = await dashboard.visitor("viewer")
    page = await viewer.get("runs", limit="25")
    seen: list[str] = []
    while True:
        seen += _IDS.findall(page.text)
        older = re.search(r'href="([^"]+)">Older<', page.text)
        if older is None:
            break
        page = await viewer.get(older[1].replace("&amp;", "&"))
    assert len(seen) == 60
    assert sorted(seen) == sorted(made)
    newer = re.search(r'href="([^"]+)">Newer<', page.text)
    assert newer
    assert _IDS.findall((await viewer.get(newer[1].replace("&amp;", "&"))).text) == seen[-35:-10]


async def test_the_address_filters_and_each_chip_leads_to_the_address_without_it(dashboard: Dashboard) -> None:
    """A link shows a colleague the same runs."""
    tagged = await trigger_some(dashboard, 2, tags=["customer:acme"])
    others = await trigger_some(dashboard, 1)
    viewer = await dashboard.visitor("viewer")
    assert sorted(await ids_of(viewer, tag="customer:acme")) == sorted(tagged)  # made within a millisecond
    page = await viewer.get("runs", tag="customer:acme")
    cross = re.search(r'href="([^"]+)" aria-label="Remove filter: Tag is customer:acme"', page.text)
    assert cross
    assert sorted(_IDS.findall((await viewer.get(cross[1])).text)) == sorted([*others, *tagged])
    assert await ids_of(viewer, status="FAILED") == []
    assert "No run matches these filters" in (await viewer.get("runs", status="FAILED")).text


@pytest.mark.parametrize("query", [{"status": "NONE"}, {"from": "yesterday"}, {"task": "\ud800"}])
async def test_an_impossible_filter_is_a_page_that_says_why(dashboard: Dashboard, query: dict[str, str]) -> None:
    """Somebody wrote the address by hand; the page stays usable."""
    viewer = await dashboard.visitor("viewer")
    if "task" in query:
        page = await viewer.client.get(f"/{dashboard.flow.settings.environment}/runs?task=%ED%A0%80")
    else:
        page = await viewer.get("runs", **query)
    assert page.status_code == 200
    assert "task" in query or "No run can match" in page.text


async def test_search_opens_a_run_and_filters_by_tag_or_error(dashboard: Dashboard) -> None:
    """One field for what people have at hand."""
    run_id, *_ = await trigger_some(dashboard, 1)
    viewer = await dashboard.visitor("viewer")
    environment = dashboard.flow.settings.environment

    async def search(text: str) -> str:
        return str((await viewer.get("runs", q=text)).headers.get("location", ""))

    assert await search(run_id) == f"/{environment}/runs/{run_id}"
    assert await search("tag:customer:acme") == f"/{environment}/runs?tag=customer%3Aacme"
    assert await search("timed out") == f"/{environment}/runs?error=timed+out"
    missing = await viewer.get("runs", q="run_" + "0" * 32)
    assert (missing.status_code, "No such run" in missing.text) == (404, True)


async def test_hostile_text_is_text(dashboard: Dashboard) -> None:
    """Tags, ids and searches are written by anybody."""
    await trigger_some(dashboard, 1, tags=["<script>alert(1)</script>"])
    viewer = await dashboard.visitor("viewer")
    for query in ({}, {"tag": _HOSTILE}, {"task": _HOSTILE}, {"error": _HOSTILE}, {"cursor": _HOSTILE}):
        page = await viewer.get("runs", **query)
        assert page.status_code == 200
        assert "<script>alert" not in page.text
    assert "<script>alert" not in (await viewer.get("jump", q=_HOSTILE)).text


async def test_selected_runs_are_counted_and_then_canceled(dashboard: Dashboard) -> None:
    """The question says how many and which; the runs that have ended stay."""
    first, second, third = await trigger_some(dashboard, 3)
    await dashboard.flow.engine.runs.acancel(third)
    operator = await dashboard.visitor()
    fields: dict[str, object] = {"csrf": await operator.token(), "kind": "cancel", "run": [first, second, third]}
    environment = dashboard.flow.settings.environment
    asked = await operator.client.post(f"/{environment}/runs/bulk", data=fields, headers={"hx-request": "true"})
    assert "Cancel 2 runs?" in asked.text
    assert "1 of them has ended" in asked.text
    done = await operator.client.post(f"/{environment}/runs/bulk/do", data=fields, headers={"hx-request": "true"})
    assert "2 runs canceled" in done.text
    assert await dashboard.flow.engine.runs.astatus(first) is RunStatus.CANCELED


async def test_all_runs_that_match_are_replayed_in_the_background(dashboard: Dashboard) -> None:
    """The filter is what is chosen, not the rows of the page."""
    await trigger_some(dashboard, 3, tags=["old"])
    operator = await dashboard.visitor()
    fields = {"kind": "replay", "all": "1", "query": "tag=old&period=all"}
    asked = await operator.post("runs/bulk", htmx=True, **fields)
    assert "Replay 3 runs?" in asked.text
    await operator.post("runs/bulk/do", htmx=True, **fields)
    async with asyncio.timeout(20):
        while len(await ids_of(operator, tag="old")) != 6:
            await asyncio.sleep(0.05)


async def test_a_row_changes_and_new_runs_are_counted_live(dashboard: Dashboard) -> None:
    """A page that is open follows the store: its rows in place, others by their number."""
    run_id, *_ = await trigger_some(dashboard, 1)
    parts: list[str] = []

    async def listen() -> None:
        async for message in follow(Follower(dashboard.flow.engine, "")):
            parts.append(message.parts)

    listening = asyncio.create_task(listen())
    try:
        async with asyncio.timeout(20):
            while "new run" not in "".join(parts):
                await trigger_some(dashboard, 1)
                await asyncio.sleep(0.2)
            await dashboard.flow.engine.runs.acancel(run_id)
            while "Canceled" not in "".join(parts):
                await asyncio.sleep(0.05)
    finally:
        listening.cancel()
    assert f'hx-target="#{run_id}"' in "".join(parts)


@pytest.mark.parametrize("status", list(RunStatus))
def test_every_status_has_a_now_line(status: RunStatus) -> None:
    """No status leaves the column empty."""
    now = datetime.now(UTC)
    run = Run(
        id="run_1",
        task_id="t",
        status=status,
        queue="q",
        machine="small-1x",
        executor="prefork",
        created_at=now - timedelta(minutes=1),
        max_attempts=3,
        error=RunError("ConnectError", "refused") if status.is_failed else None,
    )
    assert now_short(run).text
