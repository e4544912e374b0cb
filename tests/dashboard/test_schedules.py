"""The pages of schedules."""

import importlib
import json
from datetime import timedelta
from typing import Any

import pytest

from taskflow import schedules
from taskflow.definition.registry import declared
from taskflow.definition.scheduling.options import ScheduleOptions
from taskflow.definition.scheduling.schedule import Schedule
from taskflow.engine.schedules.sync import ScheduleSync
from taskflow.store.operations.making import declare
from tests.conftest import StartFleet
from tests.support.dashboard import Dashboard
from tests.support.servers import RedisServer

importlib.import_module("tests.projects.schedule_tasks")  # declares the task
TASK = "sched-on-demand"
HOSTILE = '"><script>alert(1)</script>'
FORM = {"task": TASK, "cron": "0 9 * * 1-5", "timezone": "Europe/Paris", "overlap": "skip", "catch_up": "last"}


def make(dashboard: Dashboard, cron: str = "0 9 * * *", key: str | None = None) -> Schedule:
    """Make a schedule."""
    options = ScheduleOptions.checked(cron=cron, deduplication_key=key)
    return dashboard.flow.engine.schedules.create(TASK, options)


async def test_a_schedule_is_made_seen_changed_and_deleted(dashboard: Dashboard) -> None:
    """The whole way by forms, with texts that no page may take for its own."""
    operator, engine = await dashboard.visitor("operator"), dashboard.flow.engine.schedules
    assert "There is no schedule" in (await operator.get("schedules")).text
    assert (await operator.get("schedules/new")).status_code == 200
    made = await operator.post(
        "schedules", csrf=None, htmx=False, **FORM, deduplication_key=HOSTILE, external_id=HOSTILE
    )
    assert made.status_code == 303, made.text
    [schedule] = engine.list(1, 10)
    assert (schedule.cron, schedule.timezone, schedule.overlap, schedule.deduplication_key) == (
        "0 9 * * 1-5", "Europe/Paris", "skip", HOSTILE,
    )  # fmt: skip
    for page in ("schedules", f"schedules/{schedule.id}", f"schedules/{schedule.id}/edit"):
        text = (await operator.get(page)).text
        assert HOSTILE not in text
        assert "&lt;script&gt;" in text
    one = (await operator.get(f"schedules/{schedule.id}")).text
    assert one.count("09:00") >= 10
    changed = await operator.post(
        f"schedules/{schedule.id}/edit", task=TASK, every="6h", timezone="UTC", overlap="allow", catch_up="none"
    )
    assert changed.status_code == 303, changed.text
    again = engine.retrieve(schedule.id)
    assert (again.cron, again.every, again.overlap, again.external_id) == (None, timedelta(hours=6), "allow", None)
    assert (await operator.post(f"schedules/{schedule.id}/delete")).status_code == 303
    assert not engine.list(1, 10)


async def test_a_schedule_of_a_task_with_parameters_has_its_payload_as_json(dashboard: Dashboard) -> None:
    """It is checked before anything is written, shown, changed and taken away."""
    operator, engine = await dashboard.visitor("operator"), dashboard.flow.engine.schedules
    form: dict[str, Any] = {"task": "sched-charge", "every": "6h", "overlap": "allow", "catch_up": "none"}
    for payload, why in (("{", "Line 1, column 2"), ('{"amount": 3}', "order_id"), ("", "order_id")):
        refused = await operator.post("schedules", **form, payload=payload)
        assert refused.status_code == 422, payload
        assert why in refused.text
    assert not engine.list(1, 10)
    assert (await operator.post("schedules", **form, payload='{"order_id": "o1"}')).status_code == 303
    [schedule] = engine.list(1, 10)
    assert schedule.payload == {"order_id": "o1"}
    assert "o1" in (await operator.get(f"schedules/{schedule.id}")).text
    assert "o1" in (await operator.get(f"schedules/{schedule.id}/edit")).text
    changed = await operator.post(f"schedules/{schedule.id}/edit", **form, payload='{"order_id": "o2", "amount": 7}')
    assert changed.status_code == 303, changed.text
    assert engine.retrieve(schedule.id).payload == {"order_id": "o2", "amount": 7}
    form["task"] = TASK
    assert (await operator.post(f"schedules/{schedule.id}/edit", **form, payload="")).status_code == 303
    assert engine.retrieve(schedule.id).payload is None


async def test_a_payload_is_checked_by_the_schema_of_a_task_whose_code_is_elsewhere(dashboard: Dashboard) -> None:
    """A server has no tasks of its own in production; workers register their schemas."""
    operator, engine = await dashboard.visitor("operator"), dashboard.flow.engine.schedules
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    registration = json.dumps({"class": "small-1x.process", "queue": "q", "max_attempts": "1", "schema": "a digest"})
    task = "sched-elsewhere"
    known = declare({}, {}, by_worker=True, registrations={task: registration}, schemas={task: json.dumps(schema)})
    dashboard.flow.store.run(known)
    form: dict[str, Any] = {"task": task, "every": "6h", "overlap": "allow", "catch_up": "none"}
    refused = await operator.post("schedules", **form, payload='{\n"name": 3}')
    assert refused.status_code == 422
    assert "Line 2, column" in refused.text
    assert not engine.list(1, 10)
    assert (await operator.post("schedules", **form, payload='{"name": "Ada"}')).status_code == 303
    assert engine.list(1, 10)[0].payload == {"name": "Ada"}


async def test_hidden_values_of_a_schedules_payload_stay_hidden_and_stay(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """Where TASKFLOW_REDACT says so, on both pages, in errors, and over a change."""
    dashboard = Dashboard(start_fleet(valkey.url, redact="$.order_id").flow)
    operator, engine = await dashboard.visitor("operator"), dashboard.flow.engine.schedules
    options = ScheduleOptions.checked(every="6h", payload={"order_id": "top secret", "amount": 1})
    schedule = engine.create("sched-charge", options)
    page = (await operator.get(f"schedules/{schedule.id}")).text
    edit = (await operator.get(f"schedules/{schedule.id}/edit")).text
    form: dict[str, Any] = {"task": "sched-charge", "every": "6h", "overlap": "allow", "catch_up": "none"}
    mark = '{"order_id": "[redacted:/order_id]", "amount": %s}'
    wrong = await operator.post(f"schedules/{schedule.id}/edit", **form, payload=mark % '"much"')
    assert wrong.status_code == 422
    assert "top secret" not in page + edit + wrong.text
    assert "[redacted:/order_id]" in edit
    assert (await operator.post(f"schedules/{schedule.id}/edit", **form, payload=mark % 2)).status_code == 303
    assert engine.retrieve(schedule.id).payload == {"order_id": "top secret", "amount": 2}


async def test_a_schedule_is_paused_resumed_and_run_now(dashboard: Dashboard) -> None:
    """A run that is made by hand leaves the rhythm alone, and opens."""
    operator, engine, schedule = await dashboard.visitor("operator"), dashboard.flow.engine, make(dashboard)
    await operator.post(f"schedules/{schedule.id}/active", htmx=True)
    assert not engine.schedules.retrieve(schedule.id).is_active
    assert "Paused" in (await operator.get(f"schedules/{schedule.id}")).text
    assert schedule.id in (await operator.get("schedules", view="paused")).text
    await operator.post(f"schedules/{schedule.id}/active", htmx=True, on="1")
    resumed = engine.schedules.retrieve(schedule.id)
    made = await operator.post(f"schedules/{schedule.id}/run-now", htmx=True)
    run_id = made.headers["hx-location"].rpartition("/")[2]
    assert engine.runs.retrieve(run_id).schedule_id == schedule.id
    assert (resumed.is_active, resumed.next_run) == (True, engine.schedules.retrieve(schedule.id).next_run)


async def test_the_next_ten_instants_show_as_one_types(dashboard: Dashboard) -> None:
    """Only the part is answered, and a wrong expression says what is wrong."""
    operator = await dashboard.visitor("operator")
    part = (
        await operator.get("schedules/preview", part="section#preview", cron="30 6 * * *", timezone="Asia/Tokyo")
    ).text
    assert part.count("06:30") >= 10
    assert "<h1>" not in part
    wrong = (await operator.get("schedules/preview", part="section#preview", cron="61 * * * *")).text
    assert 'class="error"' in wrong
    assert "61" in wrong
    nothing = (await operator.get("schedules/preview", part="section#preview")).text
    assert "as you type" in nothing
    look = await operator.post("schedules", csrf=None, htmx=False, **FORM, look="1")
    assert look.status_code == 200
    assert look.text.count("09:00") >= 10
    assert not dashboard.flow.engine.schedules.list(1, 10)


async def test_a_schedule_of_the_code_is_paused_and_run_but_not_edited(dashboard: Dashboard) -> None:
    """Its page names the code, and who paused it."""
    operator, engine = await dashboard.visitor("operator"), dashboard.flow.engine
    with declared.isolated():
        schedules.task(id="sched-of-code", cron="0 3 * * *")(_of_code)
        ScheduleSync(dashboard.flow.store, [declared.get("sched-of-code")], "v1", 1).sync(0)
    [schedule] = engine.schedules.list(1, 10)
    page = (await operator.get(f"schedules/{schedule.id}")).text
    assert "/edit" not in page
    assert "Delete" not in page
    assert (await operator.post(f"schedules/{schedule.id}/edit", task=TASK)).status_code in (400, 409, 422)
    assert (await operator.post(f"schedules/{schedule.id}/active", htmx=True)).status_code == 200
    assert not engine.schedules.retrieve(schedule.id).is_active
    for path in ("schedules", f"schedules/{schedule.id}"):
        assert "by operator" in " ".join((await operator.get(path)).text.split())
    await operator.post(f"schedules/{schedule.id}/active", htmx=True, on="1")
    assert engine.schedules.retrieve(schedule.id).is_active


def _of_code() -> None:
    """Do nothing on a schedule."""


@pytest.mark.parametrize(
    "changes, field",
    [
        ({"cron": "61 * * * *"}, "cron"),
        ({"cron": "", "every": "soon"}, "every"),
        ({"timezone": "Europe/Nowhere"}, "timezone"),
        ({"task": "sched-nothing"}, "task"),
        ({"jitter": "often"}, "jitter"),
        ({"overlap": "maybe"}, "overlap"),
    ],
)
async def test_a_wrong_form_comes_back_with_the_reason_at_its_field(
    dashboard: Dashboard, changes: dict[str, str], field: str
) -> None:
    """Nothing was made."""
    operator = await dashboard.visitor("operator")
    answer = await operator.post("schedules", csrf=None, htmx=False, **{**FORM, **changes})
    assert answer.status_code == 422
    assert f'id="e-{field}"' in answer.text
    assert not dashboard.flow.engine.schedules.list(1, 10)


async def test_the_list_is_searched_and_refreshed_in_part(dashboard: Dashboard) -> None:
    """The load of the next 24 hours stands above all of them."""
    viewer = await dashboard.visitor("viewer")
    shop, bank = make(dashboard, "*/15 * * * *", "shop"), make(dashboard, "0 3 * * *", "bank")
    page = (await viewer.get("schedules")).text
    assert "97 runs in the next 24 h" in page or "98 runs in the next 24 h" in page
    assert "New schedule" not in page
    found = (await viewer.get("schedules", q="SHOP")).text
    assert shop.id in found
    assert bank.id not in found
    part = (await viewer.get("schedules", part="div#rows")).text
    assert shop.id in part
    assert "<h1>" not in part
    assert "No schedule matches" in (await viewer.get("schedules", q="nothing")).text
