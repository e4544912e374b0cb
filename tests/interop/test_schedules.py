"""Schedules, as the official client makes and changes them."""

import time
from typing import Any

import pytest

from tests.interop.official_client import ClientError, OfficialClient
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.timeout(60)


def made(client: OfficialClient, **options: Any) -> dict[str, Any]:
    """Make a schedule."""
    given = {"task": "interop-tick", "cron": "0 9 * * 1-5", "deduplicationKey": f"d-{time.time_ns()}"} | options
    schedule: dict[str, Any] = client.call("schedules.create", given)
    return schedule


def test_a_schedule_is_made_changed_and_deleted(client: OfficialClient) -> None:
    """Every field comes back as the client's types have it."""
    schedule = made(client, timezone="Europe/Paris", externalId="ext", window="30m")
    assert schedule["generator"] == {
        "type": "CRON",
        "expression": "0 9 * * 1-5",
        "description": "At 09:00, Monday to Friday",
    }
    assert (schedule["type"], schedule["active"], schedule["timezone"]) == ("IMPERATIVE", True, "Europe/Paris")
    assert (schedule["externalId"], schedule["window"]) == ("ext", "30m")
    assert "$date" in schedule["nextRun"]
    assert schedule["environments"][0]["id"].startswith("env_")
    assert client.call("schedules.retrieve", schedule["id"]) == schedule
    again = made(client, cron="0 10 * * *", deduplicationKey=schedule["deduplicationKey"])
    assert again["id"] == schedule["id"]
    changed = client.call("schedules.update", schedule["id"], {"task": "interop-tick", "cron": "30 4 * * *"})
    assert (changed["generator"]["expression"], changed["timezone"]) == ("30 4 * * *", "UTC")
    assert changed["externalId"] is None
    off = client.call("schedules.deactivate", schedule["id"])
    assert (off["active"], off.get("nextRun")) == (False, None)
    assert client.call("schedules.activate", schedule["id"])["active"] is True
    assert client.call("schedules.del", schedule["id"])["id"] == schedule["id"]
    with pytest.raises(ClientError) as refused:
        client.call("schedules.retrieve", schedule["id"])
    assert (refused.value.status, refused.value.code) == (404, "schedule_not_found")


def test_schedules_are_listed_in_pages(client: OfficialClient) -> None:
    """Declared ones are among them, and cannot be changed from here."""
    ids = [made(client)["id"] for _ in range(3)]
    page = client.call("schedules.list", {"page": 1, "perPage": 2})
    count = page["pagination"]["count"]
    assert page["pagination"] == {"currentPage": 1, "totalPages": -(-count // 2), "count": count}
    everything = client.call("schedules.list", {"perPage": 100})["data"]
    assert set(ids) <= {schedule["id"] for schedule in everything}
    declared = next(schedule for schedule in everything if schedule["type"] == "DECLARATIVE")
    assert declared["task"] == "interop-declared"
    with pytest.raises(ClientError) as refused:
        client.call("schedules.update", declared["id"], {"task": "interop-declared", "cron": "0 0 * * *"})
    assert (refused.value.status, refused.value.code) == (422, "schedule_declared")


def test_a_run_has_the_schedule_that_made_it(client: OfficialClient, world: ApiServer) -> None:
    """The client's types have its rule."""
    schedule = made(client, externalId="ext")
    run_id = world.fleet.flow.engine.schedules.run_now(schedule["id"])
    shown = client.call("runs.retrieve", run_id)["schedule"]
    assert (shown["id"], shown["externalId"]) == (schedule["id"], "ext")
    assert shown["generator"] == schedule["generator"]


@pytest.mark.parametrize(
    "options",
    [
        {"cron": "61 * * * *"},
        {"timezone": "Europe/Nowhere"},
        {"task": "interop-unknown"},
        {"task": "interop-greet"},
        {"window": "tomorrow"},
    ],
)
def test_impossible_schedules_are_refused(client: OfficialClient, options: dict[str, Any]) -> None:
    """422 says which option it is."""
    with pytest.raises(ClientError) as refused:
        made(client, **options)
    assert (refused.value.status, refused.value.code) == (422, "invalid_schedule")


def test_time_zones_are_listed_without_a_key(client: OfficialClient) -> None:
    """UTC first, or left out."""
    zones = client.call("schedules.timezones")["timezones"]
    assert zones[0] == "UTC"
    assert "Europe/Berlin" in zones
    assert "UTC" not in client.call("schedules.timezones", {"excludeUtc": True})["timezones"]
