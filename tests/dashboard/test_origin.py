"""Who or what triggered a run is in its record and on its page: key, person, schedule, delivery, command, code."""

import hashlib
import hmac
import json
import re

import pytest
from mcp_types import TextContent
from typer.testing import CliRunner

from taskflow import Run, runs, webhooks
from taskflow.cli.main import app
from taskflow.definition.documents.hiding import NOTHING_HIDDEN
from taskflow.definition.registry import declared
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.history import rows
from taskflow.mcp_server.server import answered
from taskflow.mcp_server.session import Session
from taskflow.store.operations import records
from tests.conftest import StartFleet
from tests.projects import fleet_tasks
from tests.support.api import Api
from tests.support.dashboard import Dashboard
from tests.support.fleet import TASKS
from tests.support.servers import RedisServer
from tests.support.waiting import await_until
from tests.support.webhook_api import Hooks

SECRET = "It's a Secret to Everybody"


async def shown(dashboard: Dashboard, run_id: str) -> str:
    """Return the origin that a run's page shows, without tags."""
    page = (await (await dashboard.visitor("viewer")).get(f"runs/{run_id}")).text
    found = re.search(r"<dt>Triggered by</dt><dd>(.*?)</dd>", page)
    assert found, page
    return re.sub(r"<[^>]*>", "", found[1])


async def replays(run_id: str) -> list[str]:
    """Return the replays of a run."""
    return [run.id for run in await runs.alist() if run.replay_of == run_id]


async def test_a_run_of_the_http_api_names_its_key(dashboard: Dashboard) -> None:
    """The page has the key's name, the record its id, and neither has the key."""
    api = Api(dashboard.flow)
    async with api.client() as client:
        made = await client.post("/api/v1/tasks/t-echo/trigger", json={"payload": 1})
    run_id = made.json()["id"]
    by = (await runs.aretrieve(run_id)).triggered_by
    [key] = dashboard.flow.engine.api_keys.list()
    assert by == f"key {key.id}"
    assert await shown(dashboard, run_id) == "API key tests"
    page = (await (await dashboard.visitor("viewer")).get(f"runs/{run_id}")).text
    assert f'href="/{dashboard.flow.settings.environment}/keys"' in page
    assert api.key not in page
    dashboard.flow.engine.api_keys.revoke(key.id)


@pytest.mark.parametrize("name", ["origin", "triggered_by", "triggeredBy"])
async def test_a_caller_can_not_choose_the_origin(dashboard: Dashboard, name: str) -> None:
    """A field of that name in the options is refused or ignored, and the key stays the origin."""
    api = Api(dashboard.flow)
    async with api.client() as client:
        body = {"payload": 1, "options": {name: "user admin"}}
        made = await client.post("/api/v1/tasks/t-echo/trigger", json=body)
        official = await client.post(
            "/api/v1/tasks/t-echo/trigger", json=body, headers={"x-trigger-api-version": "2025-07-16"}
        )
    assert made.status_code in (200, 400, 422)
    for answer in (made, official):
        if answer.status_code == 200:
            by = (await runs.aretrieve(answer.json()["id"])).triggered_by
            assert by is not None
            assert by.startswith("key ")


async def test_a_run_of_a_person_names_the_person(dashboard: Dashboard) -> None:
    """A replay names the run that it replays as well."""
    operator = await dashboard.visitor("operator")
    first = await fleet_tasks.echo.atrigger(1)
    assert (await first.aretrieve()).triggered_by is None
    assert await shown(dashboard, first.id) == "code"
    replayed = await operator.post(f"runs/{first.id}/replay")
    new = replayed.headers["location"].rpartition("/")[2]
    assert (await runs.aretrieve(new)).triggered_by == "user operator"
    assert await shown(dashboard, new) == f"replay of {first.id[-8:]} by operator"
    tested = await operator.post("test/t-echo", payload="7", test="1")
    assert await shown(dashboard, tested.headers["location"].rpartition("/")[2]) == "operator"


async def test_a_bulk_replay_names_who_began_it(dashboard: Dashboard) -> None:
    """The replays are made by a task of the process, and not by the request."""
    operator = await dashboard.visitor("operator")
    first = await fleet_tasks.echo.atrigger(1)
    await operator.post("runs/bulk/do", kind="replay", run=first.id)
    [new] = await replays(first.id)
    assert (await runs.aretrieve(new)).triggered_by == "user operator"
    other = await fleet_tasks.async_echo.atrigger(1)
    await operator.post("runs/bulk/do", kind="replay", all="1", query="task=t-async-echo")
    await await_until(lambda: replays(other.id), "the replay in the background")
    [new] = await replays(other.id)
    assert (await runs.aretrieve(new)).triggered_by == "bulk operator"
    assert await shown(dashboard, new) == f"replay of {other.id[-8:]} by operator, with others"


async def test_a_run_of_a_schedule_names_it_and_its_person(dashboard: Dashboard) -> None:
    """A run that is made by hand has no tick of the schedule's rhythm. (That of a tick: tests/store.)"""
    engine = dashboard.flow.engine.schedules
    schedule = engine.create("t-echo", ScheduleOptions.checked(cron="0 3 1 1 *", timezone="UTC"))
    operator = await dashboard.visitor("operator")
    made = await operator.post(f"schedules/{schedule.id}/run-now", htmx=True)
    by_hand = made.headers["hx-location"].rpartition("/")[2]
    assert await shown(dashboard, by_hand) == f"schedule {schedule.id[-8:]} by operator"
    by_code = engine.run_now(schedule.id)
    by = (await runs.aretrieve(by_code)).triggered_by
    assert by is not None
    assert by.startswith("tick 20")
    assert re.fullmatch(rf"schedule {schedule.id[-8:]} for \d\d:\d\d:\d\d", await shown(dashboard, by_code))


async def test_a_run_of_a_webhook_names_its_delivery(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The delivery's page is one click away. A replay of it names the person."""
    with declared.isolated():
        fleet = start_fleet(valkey.url)
        hooks = Hooks(fleet)
        path = hooks.declare("origin-hook", webhooks.GitHub(SECRET))
        dashboard = Dashboard(fleet.flow)
        signature = hmac.new(SECRET.encode(), b"{}", hashlib.sha256).hexdigest()
        headers = [(b"x-hub-signature-256", f"sha256={signature}".encode()), (b"x-github-event", b"push")]
        answered = await hooks.send(path, b"{}", [*headers, (b"x-github-delivery", b"origin-1")])
        run_id, delivery = (answered.headers[f"x-taskflow-{name}"] for name in ("run", "delivery"))
        assert (await runs.aretrieve(run_id)).triggered_by == f"delivery {delivery}"
        assert await shown(dashboard, run_id) == f"delivery {delivery[-8:]}"
        again = dashboard.flow.engine.webhooks.replay(delivery)
        assert await shown(dashboard, again) == f"replay of {run_id[-8:]} delivery {delivery[-8:]}"


def test_a_run_of_the_command_line_names_user_and_host(dashboard: Dashboard) -> None:
    """What the same process triggers afterwards has no origin."""
    done = CliRunner().invoke(app, ["trigger", "t-echo", "3", "-A", TASKS.partition(",")[0]])
    assert done.exit_code == 0, done.output
    by = dashboard.flow.engine.runs.retrieve(done.stdout.strip()).triggered_by
    assert by is not None
    assert re.fullmatch(r"cli \S+@\S+", by)
    assert dashboard.flow.engine.runs.retrieve(fleet_tasks.echo.trigger(3).id).triggered_by is None


async def test_a_run_that_an_assistant_triggers_names_whose_it_is(dashboard: Dashboard) -> None:
    """The caller of the next tool has no name of this one."""
    session = Session(dashboard.flow, NOTHING_HIDDEN, may_write=True, origin="mcp ana@laptop")
    result = await answered(session, "trigger_task", {"task_id": "t-echo", "payload": 4})
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert await shown(dashboard, json.loads(content.text)["run_id"]) == "ana@laptop, through an assistant"
    assert (await (await fleet_tasks.echo.atrigger(3)).aretrieve()).triggered_by is None


def test_the_history_keeps_the_origin(dashboard: Dashboard) -> None:
    """A record that becomes rows and a run again names the same origin."""
    fields = {
        "status": b"COMPLETED", "class": b"small-1x.sync", "task": b"t", "queue": b"q", "created": b"1000",
        "max_attempts": b"1", "origin": b"user ana",
    }  # fmt: skip
    run: Run = records.run("run_1", fields)
    assert run.triggered_by == "user ana"
    row = rows.rows_of("production", "run_1", 1, fields).run
    assert rows.run_of(row).triggered_by == "user ana"
