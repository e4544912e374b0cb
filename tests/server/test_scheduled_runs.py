"""The schedule of a run over HTTP."""

import importlib
from datetime import timedelta

from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.scheduling.options import ScheduleOptions
from tests.support.api import Api

importlib.import_module("tests.projects.schedule_tasks")  # declares the task
TASK = "sched-on-demand"


async def test_a_run_shows_the_schedule_that_made_it(api: Api) -> None:
    """In a list and by its id. A schedule that was deleted is left out, because nothing knows its rule any more."""
    engine = api.flow.engine
    by_cron = await engine.schedules.acreate(
        TASK,
        ScheduleOptions.checked(
            cron="0 9 * * 1-5", timezone="Europe/Paris", external_id="<b>ext", deduplication_key="k"
        ),
    )
    by_period = await engine.schedules.acreate(TASK, ScheduleOptions.checked(every=timedelta(seconds=90)))
    gone = await engine.schedules.acreate(TASK, ScheduleOptions.checked(cron="0 9 * * *"))
    made = {each.id: await engine.schedules.arun_now(each.id) for each in (by_cron, by_period, gone)}
    await engine.schedules.adelete(gone.id)
    plain = (await engine.runs.atrigger("t-echo", 1, TriggerOptions())).run_id
    async with api.client() as client:
        shown = {
            run_id: (await client.get(f"/api/v3/runs/{run_id}")).json().get("schedule")
            for run_id in (*made.values(), plain)
        }
        listed = {run["id"]: run.get("schedule") for run in (await client.get("/api/v1/runs")).json()["data"]}
    assert listed == shown
    assert shown == {
        made[by_cron.id]: {
            "id": by_cron.id,
            "externalId": "<b>ext",
            "deduplicationKey": "k",
            "generator": {
                "type": "CRON",
                "expression": "0 9 * * 1-5",
                "description": "At 09:00, Monday to Friday",
            },
            "timezone": "Europe/Paris",
        },
        made[by_period.id]: {
            "id": by_period.id,
            "generator": {"type": "CRON", "expression": "@every 90s", "description": "Every 90 s"},
            "timezone": "UTC",
        },
        made[gone.id]: None,
        plain: None,
    }
