"""Names in requests that do not exist: refused with the nearest one, except what the official contract has."""

from typing import Any

import pytest

from tests.support.api import Api

ECHO = "/api/v1/tasks/t-echo/trigger"
SDK = {"trigger-version": "9.9.9"}
BODIES: list[tuple[str, dict[str, Any], str, str]] = [
    (ECHO, {"payload": 1, "options": {"dely": "1h"}}, "options.dely", "delay"),
    (ECHO, {"payload": 1, "option": {}}, "option", "options"),
    (
        ECHO,
        {"payload": 1, "options": {"debounce": {"key": "k", "delay": "1s", "maxDely": "1m"}}},
        "maxDely",
        "maxDelay",
    ),
    (ECHO, {"payload": 1, "options": {"queue": {"nam": "q"}}}, "options.queue.nam", "name"),
    ("/api/v3/batches", {"runCount": 1, "taskIdentifier": ["t-echo"]}, "taskIdentifier", "taskIdentifiers"),
    ("/api/v2/tasks/batch", {"items": [{"task": "t-echo", "options": {"tag": "x"}}]}, "items.options.tag", "tags"),
    ("/api/v1/schedules", {"task": "t", "cron": "* * * * *", "dedupKey": "k"}, "dedupKey", "deduplicationKey"),
    ("/api/v1/bulk-actions", {"action": "cancel", "filter": {"tags": "x"}}, "filter.tags", "tag"),
    ("/api/v1/waitpoints/tokens", {"timout": "1h"}, "timout", "timeout"),
]


@pytest.mark.parametrize("path, body, name, near", BODIES, ids=lambda value: value if isinstance(value, str) else None)
async def test_a_field_that_does_not_exist_is_refused_with_the_nearest_name(
    api: Api, path: str, body: dict[str, Any], name: str, near: str
) -> None:
    """Nothing is written."""
    async with api.client() as client:
        refused = await client.post(path, json=body)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_body")
    assert name in refused.json()["error"]
    assert refused.json()["remedy"].startswith(f"Did you mean '{near}'?")
    assert not api.flow.engine.runs.list(10).runs


@pytest.mark.parametrize(
    "path, near",
    [
        ("/api/v1/runs?filter[statu]=FAILED", "filter[status]"),
        ("/api/v1/runs?statu=FAILED", "filter[status]"),
        ("/api/v1/queues?pag=2", "page"),
        ("/api/v1/bulk-actions?page[sise]=2", "page[size]"),
        ("/realtime/v1/runs?tags=a&createdat=1h", "createdAt"),
    ],
)
async def test_a_parameter_that_does_not_exist_is_refused_with_the_nearest_name(api: Api, path: str, near: str) -> None:
    """A filter that is ignored gives runs that nobody asked for."""
    async with api.client() as client:
        refused = await client.get(path)
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_query")
    assert near in refused.json()["remedy"]


async def test_a_filter_by_a_bulk_action_is_refused(api: Api) -> None:
    """Also to the official client: it would take the runs for those of the action."""
    async with api.client(**SDK) as client:
        listed = await client.get("/api/v1/runs?filter[bulkAction]=bulk_1")
        begun = await client.post("/api/v1/bulk-actions", json={"action": "cancel", "filter": {"bulkAction": "bulk_1"}})
    assert [(answer.status_code, "bulk action" in answer.json()["error"]) for answer in (listed, begun)] == [
        (400, True)
    ] * 2


async def test_what_the_official_contract_has_is_taken(api: Api) -> None:
    """From any client; from the official one also what a later version of the contract may have."""
    options = {"lockToVersion": "1", "region": "eu", "payloadSize": 3, "queue": {"name": "q", "concurrencyLimit": 3}}
    async with api.client() as client, api.client(**SDK) as newer:
        taken = await client.post(ECHO, json={"payload": 1, "context": {}, "options": options})
        future = await newer.post(ECHO, json={"payload": 1, "options": {"colour": "red"}, "extra": 1})
        listed = await newer.get("/api/v1/runs?filter[colour]=red")
        snake = await client.post(ECHO, json={"payload": 1, "options": {"max_attempts": 2}})
    assert {answer.status_code for answer in (taken, future, listed, snake)} == {200}
