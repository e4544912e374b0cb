"""Bulk actions over HTTP: begun at once, done in parts, seen while they go on."""

import asyncio
from typing import Any

import httpx

from taskflow.definition.calls.run_filter import RunFilter
from taskflow.definition.calls.trigger_options import TriggerOptions
from tests.support.api import Api

PATH = "/api/v1/bulk-actions"


async def ended(client: httpx.AsyncClient, body: dict[str, Any], **headers: str) -> dict[str, Any]:
    """Begin an action and return it once it has ended."""
    begun = await client.post(PATH, json=body, headers=headers)
    assert begun.status_code == 202, begun.text
    for _ in range(200):
        action: dict[str, Any] = (await client.get(f"{PATH}/{begun.json()['id']}")).json()
        if action["status"] != "PENDING":
            return action
        await asyncio.sleep(0.02)
    raise AssertionError(f"{begun.json()} did not end")


async def test_runs_are_canceled_by_ids_and_replayed_by_a_filter(api: Api) -> None:
    """What could not be done is counted; a repeated request is the same action."""
    options = TriggerOptions.checked(delay="1h", tags=["x"])
    ids = [(await api.flow.engine.runs.atrigger("t-echo", n, options)).run_id for n in range(230)]
    body = {"action": "cancel", "runIds": [*ids[:150], f"run_00{'0' * 31}"], "name": "tidy up"}
    async with api.client() as client:
        canceled = await ended(client, body)
        replay = {"action": "replay", "filter": {"status": ["CANCELED"], "taskIdentifier": "t-echo", "tag": ["x"]}}
        replayed = await ended(client, replay, **{"x-trigger-request-idempotency-key": "r"})
        again = await ended(client, replay, **{"x-trigger-request-idempotency-key": "r"})
        listed = (await client.get(f"{PATH}?page[size]=1")).json()
        older = (await client.get(f"{PATH}?page[size]=1&page[after]={listed['pagination']['next']}")).json()
    assert (canceled["type"], canceled["status"], canceled["name"]) == ("CANCEL", "COMPLETED", "tidy up")
    assert canceled["counts"] == {"total": 151, "success": 150, "failure": 1}
    assert (replayed["type"], replayed["counts"]["success"], again) == ("REPLAY", 150, replayed)
    assert [listed["data"], older["data"]] == [[replayed], [canceled]]
    assert listed["pagination"].keys() == {"next"}
    assert older["pagination"].keys() == {"previous"}
    where = RunFilter(tag="x")
    assert await api.flow.engine.runs.acount(["status"], where) == {
        ("CANCELED",): 150,
        ("DELAYED",): 80,
        ("QUEUED",): 150,
    }


async def test_wrong_actions_are_refused_and_unknown_ones_are_not_found(api: Api) -> None:
    """An empty filter would take all runs."""
    async with api.client() as client:
        bodies: list[dict[str, Any]] = [
            {"action": "cancel"},
            {"action": "cancel", "filter": {}},
            {"action": "cancel", "runIds": []},
            {"action": "cancel", "runIds": ["run_1"], "filter": {"tag": "x"}},
            {"action": "delete", "runIds": ["run_1"]},
            {"action": "cancel", "filter": {"status": "RUNNING"}},
        ]
        wrong = [await client.post(PATH, json=body) for body in bodies]
        unknown = [await client.get(f"{PATH}/bulk_1"), await client.post(f"{PATH}/bulk_1/abort")]
    assert {answer.status_code for answer in wrong} == {400}
    assert {(answer.status_code, answer.json()["code"]) for answer in unknown} == {(404, "bulk_action_not_found")}
