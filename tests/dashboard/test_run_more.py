"""The page of a run: its streams, the runs beside it in a list; and bulk actions that count up and can be stopped."""

import asyncio
import gc
import json
import re
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from taskflow import RunFilter, RunStatus
from taskflow.definition.calls.run_filter import RunPage
from taskflow.engine.lookup import Lookup
from taskflow.models import Run
from taskflow.seams.streams import StreamAddress
from taskflow.store.operations.serving.bulk_actions import begin_bulk_action
from tests.dashboard.test_runs import trigger_some
from tests.projects import fleet_tasks
from tests.support.dashboard import Dashboard
from tests.support.past_runs import keep_runs
from tests.support.waiting import await_until

SCRIPT = "<script>alert(1)</script>"


async def test_streams_show_their_number_and_their_newest_items(dashboard: Dashboard) -> None:
    """The part loads itself again while the run lives, and text of items is text."""
    handle = await fleet_tasks.echo.atrigger(1)
    viewer, streams = await dashboard.visitor("viewer"), dashboard.flow.engine.streams
    assert "Streams<" not in (await viewer.get(f"runs/{handle.id}")).text
    await streams.aappend(StreamAddress(handle.id, "stream", "numbers"), [b"%d" % n for n in range(1000, 1025)])
    await streams.aappend(StreamAddress(handle.id, "stream", "texts"), [json.dumps({"text": SCRIPT}).encode()])
    part = (await viewer.get(f"runs/{handle.id}", part="div#streams")).text
    assert part.startswith('<div id="streams" hx-get=')
    assert "25 items, the last 20" in part
    assert "1 item<" in part
    shown = re.findall(r'<dt class="mono">(\d+)</dt>', part)
    assert shown[:20] == [str(n) for n in range(5, 25)]
    assert ">1024<" in part
    assert ">1004<" not in part
    assert SCRIPT not in part
    assert "&lt;script&gt;" in part
    await dashboard.flow.engine.runs.acancel(handle.id)
    ended = (await viewer.get(f"runs/{handle.id}", part="div#streams")).text
    assert "25 items" in ended
    assert "every 2s" not in ended


async def _is_later(shop: Dashboard, run_id: str) -> bool:
    """Whether a run that is made now is newer than this one."""
    return (await shop.flow.engine.runs.aretrieve(run_id)).created_at < datetime.now(UTC) - timedelta(milliseconds=2)


async def test_the_runs_beside_a_run_are_those_of_its_list(shop: Dashboard) -> None:
    """Older and newer within the filter of the list; at its ends the run itself. Old runs come from the history."""
    keep_runs(shop, "past", completed=1)
    viewer, environment = await shop.visitor("viewer"), shop.flow.settings.environment
    made: list[str] = []
    for number in range(3):
        made += await trigger_some(shop, 1, tags=["even" if number % 2 == 0 else "odd"])
        await await_until(partial(_is_later, shop, made[-1]), "another millisecond")
    first, _, third = made

    async def beside(run_id: str, to: str, query: str = "") -> str:
        answer = await viewer.get(f"runs/{run_id}/beside", to=to, list=query)
        return str(answer.headers["location"]).removeprefix(f"/{environment}/runs/")

    assert await beside(first, "newer") == made[1]
    assert await beside(first, "newer", "tag=even&cursor=a1.run_0&limit=25") == third
    assert await beside(third, "older", "tag=even") == first
    assert await beside(first, "older", "tag=even") == first
    assert await beside(first, "older") == "run_past00000000"
    assert await beside(third, "newer") == third
    assert await beside(first, "older", "status=nonsense") == first
    page = (await viewer.get(f"runs/{first}")).text
    for way in ("newer", "older"):  # the buttons, which J and K press
        assert f'href="/{environment}/runs/{first}/beside?to={way}" data-way="{way}"' in page
    assert (await viewer.get("runs/run_unknown/beside", to="older")).status_code == 404


async def test_a_bulk_action_counts_up_and_ends(dashboard: Dashboard) -> None:
    """The toast asks for itself until the end, and says what was done."""
    await trigger_some(dashboard, 7)
    operator = await dashboard.visitor("operator")
    begun = await operator.post("runs/bulk/do", htmx=True, kind="cancel", all="1", query="task=no-such-task")
    assert '<hx-partial hx-target="#toasts" hx-swap="beforeend">' in begun.text
    found = re.search(r'id="(bulk_[0-9a-f]+)"', begun.text)
    assert found
    address = f"runs/bulk/{found[1]}"

    async def toast() -> str:
        answer = (await operator.get(address, part=f"div#{found[1]}")).text
        return answer if 'role="status"' in answer else ""

    ended = await await_until(toast, "the end of the action")
    assert "7 runs canceled" in ended
    assert "hx-get" not in ended
    assert "7 runs canceled" in (await operator.get(address)).text
    without_script = await operator.post("runs/bulk/do", kind="replay", all="1", query="task=no-such-task")
    assert re.search(r"/runs/bulk/bulk_[0-9a-f]+$", without_script.headers["location"])
    assert (await operator.get("runs/bulk/bulk_unknown")).status_code == 404


async def test_a_bulk_action_is_stopped(dashboard: Dashboard) -> None:
    """What it has not reached stays as it is, and a viewer can't stop it. (Its performer has not come to it yet.)"""
    made = await trigger_some(dashboard, 3)
    operator, viewer = await dashboard.visitor("operator"), await dashboard.visitor("viewer")
    action_id = f"bulk_{'a' * 32}"
    begin = begin_bulk_action(action_id, "cancel", [RunFilter(task="no-such-task")], by="operator")
    await asyncio.to_thread(dashboard.flow.store.run, begin)
    asked = (await operator.get(f"runs/bulk/{action_id}", part=f"div#{action_id}")).text
    assert "Looking for those that match" in asked
    assert 'hx-trigger="every 1s"' in asked
    assert (await viewer.post(f"runs/bulk/{action_id}/stop", htmx=True)).status_code == 403
    stopped = await operator.post(f"runs/bulk/{action_id}/stop", htmx=True)
    assert f'hx-target="#{action_id}"' in stopped.text
    assert "Stopped: 0 runs canceled" in stopped.text
    assert "hx-get" not in stopped.text
    assert {await dashboard.flow.engine.runs.astatus(each) for each in made} == {RunStatus.PENDING_VERSION}


async def test_a_bulk_action_on_a_long_history_has_a_page_of_it_in_memory(
    shop: Dashboard, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """A filter may match millions of runs. A run that is in the store and in the history is one."""
    keep_runs(shop, "bulk-many", completed=2100)
    request.addfinalizer(gc.unfreeze)
    gc.freeze()  # what other tests have left need not be looked through: that would take a second for each page
    engine = shop.flow.engine
    page, alive = Lookup.page, list[int]()

    def counted(lookup: Lookup, *arguments: Any) -> RunPage:
        gc.collect()
        alive.append(sum(type(each) is Run for each in gc.get_objects()))  # isinstance asks lazy objects of others
        return page(lookup, *arguments)

    monkeypatch.setattr(Lookup, "page", counted)
    action_id = await engine.bulk_actions.begin("cancel", [RunFilter(task="bulk-many"), RunFilter(status="COMPLETED")])
    await await_until(partial(_is_planned, shop, action_id), "the runs to be found")
    await engine.bulk_actions.abort(action_id)
    assert (await engine.bulk_actions.read(action_id)).total == 2100
    assert len(alive) == 6
    assert max(alive) - alive[0] <= 1100


async def _is_planned(shop: Dashboard, action_id: str) -> bool:
    return (await shop.flow.engine.bulk_actions.read(action_id)).total is not None
