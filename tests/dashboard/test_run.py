"""The page of one run: live and ended ones, hostile data, actions, and ids that are none."""

import re
from datetime import timedelta
from html import unescape

import pytest

from taskflow import RunStatus
from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.queue import NO_LIMITS, QueueLimits
from taskflow.errors import RunFailedError, RunNotFoundError
from taskflow.store.operations.making import declare
from taskflow.store.operations.registration import TaskRegistration
from tests.conftest import StartFleet
from tests.projects import fleet_tasks
from tests.projects import spanned_tasks as tasks
from tests.support.dashboard import Dashboard
from tests.support.fleet import TASKS
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

BOTH = f"{TASKS},tests.projects.spanned_tasks"
SCRIPT = "<script>alert(1)</script>"
ESCAPED = "&lt;script&gt;alert(1)&lt;/script&gt;"


def texts(page: str, css_class: str) -> list[str]:
    """Return the texts of the elements with a class, without tags."""
    return [re.sub(r"<[^>]*>", "", each).strip() for each in re.findall(rf'class="{css_class}"[^>]*>(.*?)</', page)]


async def test_a_run_that_waits_for_its_start_says_why(dashboard: Dashboard) -> None:
    """The page of a new run has a head, facts and a trace, although nothing has executed."""
    handle = await fleet_tasks.echo.atrigger({"order": 1.50, "id": 9007199254740993}, tags=["order:1"])
    page = await (await dashboard.visitor("viewer")).get(f"runs/{handle.id}")
    assert page.status_code == 200
    assert "No worker" in page.text or "small-1x" in page.text
    assert "order:1" in page.text
    assert "9007199254740993" in page.text
    assert 'role="treegrid"' in page.text
    assert "Queued" in page.text
    assert f"runs/{handle.id}/cancel" not in page.text, "a viewer may not cancel"
    part = await (await dashboard.visitor("viewer")).get(f"runs/{handle.id}", part="div#trace")
    assert part.text.lstrip().startswith('<div class="trace-part" id="trace">')


async def test_a_run_is_canceled_replayed_and_rescheduled(dashboard: Dashboard) -> None:
    """Each action changes the run, answers with the changed parts, or opens the new run."""
    operator = await dashboard.visitor("operator")
    handle = await fleet_tasks.echo.atrigger({"n": 1}, delay=timedelta(hours=1))
    page = await operator.get(f"runs/{handle.id}")
    assert "Reschedule" in page.text
    changed = await operator.post(f"runs/{handle.id}/reschedule", htmx=True, delay="2h")
    assert "Run rescheduled" in changed.text
    due = (await handle.aretrieve()).due_at
    assert due is not None
    assert due - (await handle.aretrieve()).created_at > timedelta(hours=1.9)
    refused = await operator.post(f"runs/{handle.id}/reschedule", htmx=True, delay="soon")
    assert 400 <= refused.status_code < 500
    assert (await handle.aretrieve()).due_at == due
    canceled = await operator.post(f"runs/{handle.id}/cancel", htmx=True, reason="a mistake")
    assert 'hx-target="#summary"' in canceled.text
    assert "Canceled" in canceled.text
    assert await handle.astatus() is RunStatus.CANCELED
    again = await operator.post(f"runs/{handle.id}/cancel", htmx=True)
    assert "The run had ended" in again.text
    replayed = await operator.post(f"runs/{handle.id}/replay")
    assert replayed.status_code == 303
    new = replayed.headers["location"].rpartition("/")[2]
    opened = await operator.get(f"runs/{new}")
    assert "replay of" in opened.text
    assert handle.id in opened.text


@pytest.mark.parametrize("run_id", ["run_unknown", "x" * 5000, "%00", "run_<script>", "%ff"])
async def test_an_unknown_id_says_where_it_was_looked_for(dashboard: Dashboard, run_id: str) -> None:
    """Whatever the id is, the answer is a page."""
    operator = await dashboard.visitor("operator")
    for path in ("", "/logs", "/payload.json", "/nothing.json"):
        page = await operator.get(f"runs/{run_id}{path}")
        assert page.status_code == 404, (path, page.text)
        assert "<script>" not in page.text.replace('<script src="', "")
    assert "was looked for in the store" in (await operator.get("runs/run_unknown")).text
    for action in ("cancel", "replay", "reschedule"):
        assert (await operator.post(f"runs/{run_id}/{action}", delay="1h")).status_code == 404


async def test_parameters_that_are_not_possible_are_ignored(dashboard: Dashboard) -> None:
    """An address may come from anywhere."""
    handle = await fleet_tasks.echo.atrigger(1)
    viewer = await dashboard.visitor("viewer")
    for name, value in [("view", SCRIPT), ("span", SCRIPT), ("attempt", "-1"), ("level", "loud"), ("q", SCRIPT)]:
        page = await viewer.get(f"runs/{handle.id}", **{name: value})
        assert page.status_code == 200
        assert SCRIPT not in page.text


@pytest.mark.timeout(90)
async def test_runs_of_real_nodes_with_hostile_data(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Scripts, escape sequences and 5 MB of JSON are shown as text, in every part of the page."""
    fleet = start_fleet(valkey.url, output_limit=6_000_000, inline_limit=6_000_000)
    fleet.start_node(TASKFLOW_TASKS=BOTH)
    dashboard = Dashboard(fleet.flow)
    viewer = await dashboard.visitor("viewer")
    good, bad = await tasks.everything.atrigger(3), await tasks.hostile.atrigger(SCRIPT, tags=[SCRIPT])
    large = await tasks.large.atrigger(5_000_000)
    assert await good.aresult(timeout=30) == 9
    await large.aresult(timeout=30)
    with pytest.raises(RunFailedError):
        await bad.aresult(timeout=30)
    wait_until(lambda: any(s.name == "on_success" for s in fleet.flow.engine.traces.trace(good.id).spans), "its spans")

    page = (await viewer.get(f"runs/{good.id}")).text
    for word in ("Attempt 1", "Attempt 2", "Retry delay", "middleware", "on_error", "outer", "inner", "double"):
        assert word in page, word
    assert "ConnectionError" in page
    assert "spanned_tasks.py" in page
    child = next(span.run_id for span in fleet.flow.engine.traces.trace(good.id).spans if span.run_id)
    opened = (await viewer.get(f"runs/{good.id}", open=child)).text
    assert f"row-{child}:attempt-1" in opened
    assert f"row-{child}:attempt-1" not in page
    logs = (await viewer.get(f"runs/{good.id}", view="logs", level="WARNING")).text
    assert logs.count('class="log-line"') == 2
    found = (await viewer.get(f"runs/{good.id}", q="inner")).text
    assert "inner" in found
    assert "double" not in found
    assert "within" in (await viewer.get(f"runs/{good.id}/logs")).text

    for query in ({}, {"view": "logs"}, {"q": "script"}):
        page = (await viewer.get(f"runs/{bad.id}", **query)).text
        assert SCRIPT not in page
        assert "\x1b" not in page
        assert ESCAPED in page
        assert "style=" not in page
    raw = await viewer.get(f"runs/{bad.id}/payload.json")
    assert (raw.text, raw.headers["content-type"]) == (f'"{SCRIPT}"', "application/json")

    answer = await viewer.get(f"runs/{large.id}")
    assert len(answer.content) < 400_000
    assert "The first 4,096 of" in answer.text
    assert len((await viewer.get(f"runs/{large.id}/output.json")).content) > 5_000_000


def test_a_run_that_is_gone_is_not_shown(dashboard: Dashboard) -> None:
    """The reader of traces refuses it, as every reader of runs."""
    with pytest.raises(RunNotFoundError):
        dashboard.flow.engine.traces.trace("run_none")


async def test_a_run_of_a_queue_that_nobody_declares_says_so(dashboard: Dashboard) -> None:
    """A misspelt queue is nothing that time mends: the page and the list name it, and one that is nearly the same."""
    name, engine = "misspelt-queue", dashboard.flow.engine
    registration = TaskRegistration(name, "small-1x.process", f"task/{name}", NO_LIMITS, 3, None, None, (), "", None)
    queues = {"invoices": QueueLimits(4)}
    dashboard.flow.store.run(declare({}, queues, by_worker=True, registrations={name: registration.to_json()}))
    made = await engine.runs.atrigger(name, None, TriggerOptions.checked(queue="invoises"))
    viewer = await dashboard.visitor("viewer")
    page = unescape(re.sub(r"<[^>]+>", " ", (await viewer.get(f"runs/{made.run_id}")).text))
    assert "No worker has registered queue 'invoises'" in page
    assert "Did you mean 'invoices'?" in page
    assert "No worker has registered the queue invoises yet" in (await viewer.get("runs")).text
