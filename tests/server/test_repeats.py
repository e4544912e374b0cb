"""Requests of the Python client that come twice, because the answer to the first one was lost."""

import importlib

import pytest

from taskflow import webhooks
from taskflow.definition.registry import declared
from taskflow.definition.scheduling.options import ScheduleOptions
from tests.conftest import StartFleet
from tests.support.api import Api
from tests.support.servers import RedisServer
from tests.support.webhook_api import Hooks

importlib.import_module("tests.projects.schedule_tasks")  # declares the task
PREFIX = "/api/taskflow/v1"
HEADERS = ["x-trigger-request-idempotency-key", "Idempotency-Key"]


@pytest.mark.parametrize("header", HEADERS)
async def test_a_schedule_that_is_run_now_twice_by_one_request_makes_one_run(api: Api, header: str) -> None:
    """Another request makes another one."""
    schedule = await api.flow.engine.schedules.acreate("sched-on-demand", ScheduleOptions.checked(cron="0 9 * * *"))
    path = f"{PREFIX}/schedules/{schedule.id}/run-now"
    async with api.client() as client:
        first, again, other, plain = [
            (await client.post(path, headers={header: key} if key else {})).json()["id"] for key in ("a", "a", "b", "")
        ]
    assert first == again
    assert len({first, other, plain}) == 3
    assert (await api.flow.engine.runs.aretrieve(first)).schedule_id == schedule.id


@pytest.mark.parametrize("header", HEADERS)
async def test_a_delivery_that_is_replayed_twice_by_one_request_makes_one_run(
    start_fleet: StartFleet, valkey: RedisServer, header: str
) -> None:
    """Its record names the run once."""
    fleet = start_fleet(valkey.url)
    hooks, api = Hooks(fleet), Api(fleet.flow)
    with declared.isolated():
        await hooks.send(hooks.declare("hook-repeated", webhooks.SecretUrl()))
        delivery = (await webhooks.deliveries.alist(task="hook-repeated"))[0]
        path = f"{PREFIX}/deliveries/{delivery.id}/replay"
        async with api.client() as client:
            made = [(await client.post(path, headers={header: key})).json()["id"] for key in ("a", "a", "b")]
    assert made[0] == made[1] != made[2]
    assert (await webhooks.deliveries.aretrieve(delivery.id)).replays == (made[0], made[2])
