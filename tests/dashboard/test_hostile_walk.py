"""Hostile data and hostile requests, walked over the table of pages."""

import asyncio
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from html import unescape
from importlib import import_module
from typing import Final
from urllib.parse import quote

import pytest

from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.queue import QueueLimits
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.errors import RunFailedError
from taskflow.seams.tokens import TokenOptions
from taskflow.server.dashboard.page import Page
from taskflow.server.dashboard.table import PAGES as EVERY_PAGE
from taskflow.store import operations
from tests.conftest import StartFleet
from tests.projects import fleet_tasks
from tests.projects import spanned_tasks as tasks
from tests.support.dashboard import Dashboard, Visitor
from tests.support.fleet import TASKS, Fleet
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

import_module("tests.projects.schedule_tasks")  # declares the task of the schedule
MODULES: Final = f"{TASKS},tests.projects.spanned_tasks"
HOSTILE: Final = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>\x1b[31m{{7*7}}\u202e"
ESCAPE: Final = re.compile("[^\x1b]{,40}\x1b")
MARKS: Final = ("<script>alert", "<img src=x")
"""Texts that a page has only if it takes data for its own."""
FIELD: Final = re.compile(r"<textarea.*?</textarea>|<pre id=\"painted\".*?</pre>| value=\"[^\"]*\"", re.DOTALL)
"""A field has a text as it was sent, escape characters too, so that it can be corrected and sent again."""
PAGES: Final = tuple(page for page in EVERY_PAGE if not page.is_stream)
FORMS: Final = tuple(page for page in PAGES if page.method == "POST")
FIELDS: Final = (
    "reason", "payload", "edits", "queue", "kind", "task", "on", "look", "from", "back", "version", "threshold",
    "template", "reset", "rate_limit", "query", "node", "next", "names", "name", "limit", "here", "expires", "every",
    "drop", "delay", "deduplication_key", "external_id", "cron", "timezone", "channel", "begin", "batch", "address",
    "run", "period", "cursor", "q", "machine", "open", "since", "sort", "status", "tab", "tag", "view", "cols", "key",
    "span", "attempt", "level", "error", "error_to", "to", "fold", "source", "outcome", "limit",
)  # fmt: skip
VALUES: Final = (HOSTILE, "/\u00e9\r\nx: y", "9" * 400, "-1", "%00", "\u0000")
SAMPLE: Final = re.compile(r"\{(\w+)(?::\w+)?\}")
QUESTIONS: Final = {
    "batches-act": ["batch", "kind"], "queues-pause": ["queue"], "queues-limit": ["queue"], "workers-drain": ["node"],
}  # fmt: skip
"""Pages about a thing that a parameter names."""
HOUR: Final = timedelta(hours=1)


def filled(page: Page, samples: dict[str, str]) -> str:
    """Return a page's path, with ids that exist where there are some."""
    return SAMPLE.sub(lambda match: quote(samples.get(match[1], "none-such")), page.path)


def faults(text: str) -> list[str]:
    """Return what a page would have a browser or a terminal do."""
    return [mark for mark in MARKS if mark in text] + ESCAPE.findall(FIELD.sub("", text))


@dataclass
class Shop:
    """An environment in which everything that a person or a program may name has a hostile name."""

    dashboard: Dashboard
    runs: tuple[str, ...]
    samples: dict[str, str]


async def made_shop(fleet: Fleet) -> Shop:
    """Make runs by a real worker, and one thing of each other kind."""
    await asyncio.to_thread(fleet.start_node, TASKFLOW_TASKS=MODULES)
    dashboard, engine, now = Dashboard(fleet.flow), fleet.flow.engine, datetime.now(UTC)
    nested = {HOSTILE: [HOSTILE, {HOSTILE: None}]}
    text = f"</script>{HOSTILE}" * 40_000
    large = await fleet_tasks.echo.atrigger([text], tags=[HOSTILE], metadata=nested, concurrency_key=HOSTILE)
    bad = await tasks.hostile.atrigger(HOSTILE, tags=[HOSTILE], metadata=nested)
    unknown = (await engine.runs.atrigger("a/b", nested, TriggerOptions())).run_id
    assert await large.aresult(timeout=30) == [text]
    with pytest.raises(RunFailedError):
        await bad.aresult(timeout=30)
    options = ScheduleOptions.checked(cron="0 9 * * *", deduplication_key=HOSTILE, external_id=HOSTILE)
    batch = await fleet_tasks.echo.abatch_trigger([nested, HOSTILE])
    fleet.flow.store.run(operations.making.declare({}, {HOSTILE: QueueLimits(3)}, by_worker=True))
    groups = await asyncio.to_thread(
        wait_until, lambda: engine.errors.list(now - HOUR, now + HOUR), "the failure to have a group", timeout=20
    )
    return Shop(
        dashboard,
        (large.id, bad.id, unknown),
        {
            "task_id": "a/b",
            "queue": HOSTILE,
            "kind": "cancel",
            "group_id": groups[0].id,
            "batch": batch.id,
            "node": engine.nodes.list()[0],
            "schedule_id": (await asyncio.to_thread(engine.schedules.create, "sched-on-demand", options)).id,
            "token_id": engine.tokens.create(TokenOptions(tags=(HOSTILE,), timeout=HOUR)).id,
            "key_id": engine.api_keys.create(HOSTILE)[0],
        },
    )


async def ask(visitor: Visitor, page: Page, path: str, **fields: str) -> tuple[int, str]:
    """Open a page, or send its form, and return status and text."""
    answer = await (
        visitor.get(path, **fields) if page.method == "GET" else visitor.post(path, csrf=None, htmx=False, **fields)
    )
    return answer.status_code, answer.text if answer.headers.get("content-type") != "application/json" else ""


@pytest.mark.timeout(120)
async def test_no_page_takes_data_for_its_own(start_fleet: StartFleet, valkey: RedisServer, tmp_path: object) -> None:
    """Names, tags, keys, payloads, outputs, errors, log lines and metadata with scripts, escapes and 5 MB."""
    limits = {"payload_limit": 6_000_000, "output_limit": 6_000_000, "inline_limit": 6_000_000}
    fleet = start_fleet(valkey.url, database_url=f"sqlite:///{tmp_path}/history.db", **limits)
    shop = await made_shop(fleet)
    visitor = await shop.dashboard.visitor("admin")
    for page in PAGES:
        if page.method != "GET" or page.path.endswith(("/logs", ".json", "/beside", "/token")):
            continue
        for run_id in shop.runs if "{run_id}" in page.path else ("",):
            path = filled(page, shop.samples | {"run_id": run_id})
            about = {name: shop.samples[name] for name in QUESTIONS.get(page.path, ())}
            status, text = await ask(visitor, page, path, **about)
            assert status == 200 or "none-such" in path, (path, text)
            assert not faults(text), (path, faults(text))
            assert len(text) < 1_000_000, path
            if page.path == "schedules/{schedule_id}/edit":
                assert HOSTILE in unescape(text), "a field has its text as it is"


async def test_a_form_that_is_too_large_changes_nothing(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The body is refused before the page sees it, and no action is audited."""
    dashboard = Dashboard(start_fleet(valkey.url, server_body_limit=1024).flow)
    admin = await dashboard.visitor("admin")
    for page in FORMS:
        status, text = await ask(admin, page, filled(page, {}), reason="x" * 1024)
        assert status == 413, (page.path, text)
        assert "Nothing has changed" in text


async def test_what_is_refused_is_not_audited(shop: Dashboard) -> None:
    """A role that may not act, a foreign token, a large form: the audit has what was done."""
    viewer, admin = await shop.visitor("viewer"), await shop.visitor("admin")
    for page in FORMS:
        await admin.post(filled(page, {}), csrf="0" * 32)
        if page.role != "viewer":
            await viewer.post(filled(page, {}))
    assert shop.flow.engine.audit.list() == []


@pytest.mark.timeout(90)
@pytest.mark.parametrize("value", VALUES)
async def test_hostile_fields_and_parameters_are_answers(shop: Dashboard, value: str) -> None:
    """Each field of each form, and each parameter of each address, with the same hostile value."""
    admin = await shop.visitor("admin")
    fields = dict.fromkeys(FIELDS, value)
    for page in PAGES:
        status, text = await ask(admin, page, filled(page, {}), **fields)
        assert status < 500, (page.path, text)
        assert not faults(text), (page.path, faults(text))
        if page.method == "POST":
            part = await admin.post(filled(page, {}), htmx=True, **fields)
            assert part.status_code < 500, (page.path, part.text)
