"""The pages of queues: what is stuck and why, pause and limits, with names that people made."""

import json
import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from taskflow.definition.queue import QueueLimits
from taskflow.history.queue_samples import keep_samples
from taskflow.models import QueueState
from taskflow.seams.tokens import TokenOptions
from taskflow.server.dashboard.shared_reads import forget_reads
from taskflow.store import operations
from taskflow.store.operations.making import NewRun, declare, trigger_run
from taskflow.store.wire import new_run_id
from tests.support.dashboard import Dashboard

HOSTILE = ("<script>alert(1)</script>", "\x1b[31mred\x1b[0m", "k" * 500, "a/b c%2F?&=#")


def trigger(dashboard: Dashboard, queue: str, limits: QueueLimits, **more: Any) -> str:
    """Trigger a run of a queue."""
    new = NewRun(new_run_id(0), "dq-task", b"1", None, queue, "small-1x.process", 3, limits=limits, **more)
    return dashboard.flow.store.run(trigger_run(new))[0]


@pytest.fixture
def queues(dashboard: Dashboard) -> Dashboard:
    """Four queues: one at its limit, one whose keys wait, a free one, and one with an odd name."""
    declared = {"invoices": QueueLimits(1), "exports": QueueLimits(per_key=1, total=6), "free": QueueLimits()}
    run = dashboard.flow.store.run
    run(declare({}, {**declared, HOSTILE[0]: QueueLimits(3)}, by_worker=True))
    run(
        operations.nodes.register_node(
            "n1@host.1.aa", lease=dashboard.flow.settings.lease * 100, queues=[
                f"{dashboard.flow.settings.environment}.small-1x.process"
            ], capacity=100, classes=["small-1x.process"], description={}, tasks=[],
        )
    )  # fmt: skip
    first = trigger(dashboard, "invoices", declared["invoices"])
    run(operations.runs.claim_run(first, node_id="n1@host.1.aa", reservation=1))
    trigger(dashboard, "invoices", declared["invoices"])
    for key in HOSTILE:
        first, _ = (trigger(dashboard, "exports", declared["exports"], concurrency_key=key) for _ in range(2))
        run(operations.runs.claim_run(first, node_id="n1@host.1.aa", reservation=1))
    return dashboard


def row_of(text: str, name: str) -> str:
    """Return the row of a queue as text, without its elements."""
    [row] = [row for row in re.findall(r"<tr.*?</tr>", text, re.DOTALL) if f'title="{name}"' in row]
    return " ".join(re.sub(r"<[^>]+>", " ", row).split())


async def test_runs_that_execute_and_open_tokens_are_counted_beside_the_navigation(queues: Dashboard) -> None:
    """The environment's own record counts no runs, and tokens stay in their list when they are completed."""
    engine = queues.flow.engine
    made = [(await engine.tokens.acreate(TokenOptions())).id for _ in range(3)]
    await engine.tokens.acomplete(made[0], b"1")
    text = (await (await queues.visitor("viewer")).get("tasks")).text
    assert f'<span class="n" id="nav-runs">{1 + len(HOSTILE)}</span>' in text
    assert '<span class="n" id="nav-tokens" data-tone="violet">2</span>' in text


async def test_each_queue_says_what_keeps_it(queues: Dashboard) -> None:
    visitor = await queues.visitor("viewer")
    page = await visitor.get("queues")
    assert page.status_code == 200
    row = row_of(page.text, "invoices")
    assert "At its limit" in row
    assert re.search(r"1 of 1 1 \d+", row), row
    assert "Keys at limit" in row_of(page.text, "exports")
    assert "Open" in row_of(page.text, "free")
    assert "executes 1 run at a time, and 1 do. It is number 1 of 1 in line." in page.text
    assert "Limit</a>" not in page.text
    full = await visitor.get("queues", part="div#overview", view="full")
    assert "invoices" in full.text
    assert 'title="free"' not in full.text
    assert "<html" not in full.text


async def test_names_of_queues_and_keys_are_text(queues: Dashboard) -> None:
    visitor = await queues.visitor("operator")
    for page in (
        await visitor.get("queues", open="exports"),
        await visitor.get("queues/exports"),
        await visitor.get("queues", q=HOSTILE[0]),
        await visitor.get("queues/" + "%3Cscript%3Ealert(1)%3C%2Fscript%3E"),
    ):
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page.text
    keys = (await visitor.get("queues/exports")).text
    assert "k" * 500 in keys
    assert "a%2Fb+c%252F%3F%26%3D%23" in keys
    assert "4 keys have runs queued" in (await visitor.get("queues", open="exports")).text


async def test_a_pause_is_shown_with_who_and_why_until_it_is_resumed(queues: Dashboard) -> None:
    operator = await queues.visitor("operator")
    question = await operator.get("queues-pause", queue="invoices")
    assert "1 run that executes goes on, 1 run waits" in question.text
    answer = await operator.post("queues-pause", htmx=True, queue="invoices", reason="API is <b>down</b>")
    assert "invoices is paused" in answer.text
    assert 'hx-target="#overview"' in answer.text
    page = await (await queues.visitor("viewer")).get("queues", view="paused")
    assert "Paused by operator" in " ".join(re.sub(r"<[^>]+>", " ", page.text).split())
    assert "API is &lt;b&gt;down&lt;/b&gt;" in page.text
    one = await operator.get("queues/invoices")
    assert "Paused by operator" in one.text
    await operator.post("queues-resume", htmx=True, queue="invoices", **{"from": "one"})
    assert not queues.flow.engine.queues.retrieve("invoices").is_paused


async def test_a_limit_is_replaced_and_declared_again(queues: Dashboard) -> None:
    operator = await queues.visitor("operator")
    answer = await operator.post("queues-limit", htmx=True, queue="invoices", limit="8")
    assert "Override: 8, declared 1" in answer.text
    assert queues.flow.engine.queues.retrieve("invoices").overridden_by == "operator"
    await operator.post("queues-limit", htmx=True, queue="invoices", reset="1", limit="8")
    assert queues.flow.engine.queues.retrieve("invoices").overridden_at is None


@pytest.mark.parametrize("limit", ["0", "-1", "100001", "1e3", "", "٣", "9" * 400, "<script>"])
async def test_an_impossible_limit_changes_nothing(queues: Dashboard, limit: str) -> None:
    operator = await queues.visitor("operator")
    answer = await operator.post("queues-limit", htmx=True, queue="invoices", limit=limit)
    assert answer.status_code == 400
    assert "Nothing has changed" in answer.text
    assert "<script>" not in answer.text
    assert queues.flow.engine.queues.retrieve("invoices").overridden_at is None


async def test_the_environment_is_paused_and_resumed(queues: Dashboard) -> None:
    operator = await queues.visitor("operator")
    answer = await operator.post("queues-pause", htmx=True, queue="", reason="x" * 501)
    assert answer.status_code == 400
    await operator.post("queues-pause", htmx=True, queue="", reason="a deploy")
    page = await operator.get("queues")
    assert " is paused</b>" in page.text
    assert ": a deploy" in page.text
    await operator.post("queues-resume", htmx=True, queue="")
    assert not queues.flow.engine.queues.environment().is_paused


@pytest.mark.parametrize(
    "path, query",
    [
        ("queues/none", {}),
        ("queues-pause", {"queue": "none"}),
        ("queues-limit", {"queue": ""}),
        ("queues/%ED%A0%80", {}),
    ],
)
async def test_an_unknown_queue_is_named(queues: Dashboard, path: str, query: dict[str, str]) -> None:
    operator = await queues.visitor("operator")
    page = await operator.get(path, **query)
    assert page.status_code == 404
    assert "No queue" in page.text or "no such" in page.text


async def test_a_viewer_changes_nothing(queues: Dashboard) -> None:
    viewer = await queues.visitor("viewer")
    for path in ("queues-pause", "queues-limit", "queues-resume"):
        assert (await viewer.post(path, queue="invoices", limit="3")).status_code == 403
    assert not queues.flow.engine.queues.retrieve("invoices").is_paused


async def test_a_queue_shows_its_load_of_the_last_day_against_its_limit(shop: Dashboard) -> None:
    """As a chart, and as a table of hours."""
    now = datetime.now(UTC)
    reader = shop.flow.lookup.reader()
    assert reader is not None
    viewer = await shop.visitor("viewer")
    shop.flow.store.run(declare({}, {"loaded": QueueLimits(4)}, by_worker=True))
    assert "data-chart" not in (await viewer.get("queues/loaded")).text
    keep_samples(reader, now - timedelta(hours=3), [QueueState("loaded", running=4, queued=17)])
    forget_reads(shop.flow.engine)
    assert "data-chart" not in (await viewer.get("queues/loaded")).text, "one point is no line, and its axis has years"
    for hours, running, queued in ((30, 9, 9), (1, 2, 0)):
        keep_samples(reader, now - timedelta(hours=hours), [QueueState("loaded", running=running, queued=queued)])
    forget_reads(shop.flow.engine)
    text = (await viewer.get("queues/loaded")).text
    [values] = re.findall(r'data-chart="load" data-values="([^"]+)"', text)
    instants, executing, waiting, limits = json.loads(values)
    assert (executing, waiting, limits) == ([4, 2], [17, 0], [4, 4])
    assert instants == sorted(instants)
    assert 'data-lines="executing,queued,limit"' in text
    assert "At most 4 executed and 17 were queued at a time" in text
