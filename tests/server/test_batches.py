"""Batches over HTTP: announced, filled by lines of JSON, safe to repeat at any moment."""

import asyncio
import hashlib
import json
from typing import Any

import httpx

from taskflow.definition.calls.run_filter import ALL_RUNS
from taskflow.models import RunStatus
from tests.support.api import Api

NDJSON = {"content-type": "application/x-ndjson"}
BATCHES = "/api/v3/batches"


def lines(*items: dict[str, Any]) -> bytes:
    """Return items as lines."""
    return b"".join(json.dumps(item).encode() + b"\n" for item in items)


def echo(index: int, **more: Any) -> dict[str, Any]:
    """Return an item."""
    return {"index": index, "task": "t-echo", "payload": str(index), "options": {"payloadType": "text/plain"}} | more


async def announced(client: httpx.AsyncClient, count: int, **more: Any) -> dict[str, Any]:
    """Announce a batch."""
    answer = await client.post(BATCHES, json={"runCount": count, **more})
    assert answer.status_code == 202, answer.text
    batch: dict[str, Any] = answer.json()
    return batch


async def send(client: httpx.AsyncClient, batch_id: str, content: Any) -> httpx.Response:
    """Send items."""
    return await client.post(f"{BATCHES}/{batch_id}/items", content=content, headers=NDJSON)


async def test_a_batch_is_announced_filled_and_read(api: Api) -> None:
    """Its runs are in the order of its items; one that does not fit is an error, and the others go on."""
    async with api.client() as client:
        batch = await announced(client, 4, taskIdentifiers=["t-echo", "t-point"])
        before = (await client.get(f"/api/v2/batches/{batch['id']}")).json()
        items = [
            echo(0, options={"payloadType": "text/plain", "tags": ["x"], "delay": "1h"}),
            echo(1, task="t-point", payload='{"json":{"x":"one"}}', options={"payloadType": "application/super+json"}),
            echo(2, options={"machine": "huge"}),
            echo(3, task="t-point", payload={"x": 1, "y": 2}, options={}),
        ]
        sent = await send(client, batch["id"], lines(*items))
        after = (await client.get(f"/api/v2/batches/{batch['id']}")).json()
    assert batch == {"id": batch["id"], "runCount": 4, "isCached": False}
    assert (before["status"], before["runCount"], before["runs"]) == ("PENDING", 4, [])
    assert sent.json() == {"id": batch["id"], "itemsAccepted": 4, "itemsDeduplicated": 0, "sealed": True}
    assert (after["status"], after["runCount"]) == ("PARTIAL_FAILED", 4)
    errors = after["processing"]["errors"]
    assert [(error["index"], error["taskIdentifier"], error["errorCode"]) for error in errors] == [
        (1, "t-point", "invalid_payload"),
        (2, "t-echo", "invalid_option"),
    ]
    first, last = [await api.flow.engine.runs.aretrieve(run_id) for run_id in after["runs"]]
    assert (first.payload, first.tags, first.status, first.batch_id) == ("0", ("x",), RunStatus.DELAYED, batch["id"])
    assert last.payload == {"x": 1, "y": 2}


async def test_items_that_come_twice_are_made_once(api: Api) -> None:
    """After a cut connection the client sends everything again; after a lost answer as well."""
    everything = lines(*(echo(index) for index in range(600)))
    async with api.client() as client:
        batch_id = (await announced(client, 600))["id"]
        partly = await send(client, batch_id, lines(*(echo(index) for index in range(300))))
        halves = await asyncio.gather(send(client, batch_id, everything), send(client, batch_id, everything))
        again = await send(client, batch_id, everything)
        batch = (await client.get(f"/api/v2/batches/{batch_id}")).json()
    assert partly.json() == {
        "id": batch_id, "itemsAccepted": 300, "itemsDeduplicated": 0, "sealed": False,
        "enqueuedCount": 300, "expectedCount": 600,
    }  # fmt: skip
    assert all(half.json()["sealed"] for half in halves)
    assert again.json() == {"id": batch_id, "itemsAccepted": 0, "itemsDeduplicated": 600, "sealed": True}
    assert len(set(batch["runs"])) == 600
    counts = await api.flow.engine.runs.acount(["status"], ALL_RUNS)
    assert counts == {("QUEUED",): 600}


async def test_an_announcement_that_is_sent_again_is_the_same_batch(api: Api) -> None:
    """By the request key; by the idempotency key, once all its items are there, it is cached."""
    key = "7a" * 32
    shown = {"key": "bk", "scope": "run"}
    async with api.client() as client:
        repeated = {
            (
                await client.post(BATCHES, json={"runCount": 1}, headers={"x-trigger-request-idempotency-key": "r"})
            ).json()["id"]
            for _ in range(2)
        }
        batch = await announced(client, 2, idempotencyKey=key, idempotencyKeyOptions=shown)
        unfilled = await announced(client, 2, idempotencyKey=key, idempotencyKeyOptions=shown)
        await send(client, batch["id"], lines(echo(0), echo(1)))
        filled = await announced(client, 2, idempotencyKey=key, idempotencyKeyOptions=shown)
        other = await client.post(BATCHES, json={"runCount": 3, "idempotencyKey": key})
        read = (await client.get(f"/api/v1/batches/{batch['id']}")).json()
    assert len(repeated) == 1
    assert (batch["id"], batch["idempotencyKey"]) == (unfilled["id"], key)
    assert (unfilled["isCached"], filled["isCached"]) == (False, True)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_in_use")
    assert read["idempotencyKey"] == "bk"


async def test_a_key_of_the_batch_gives_each_item_one(api: Api) -> None:
    """So that the same items under the same key are the same runs in another batch, too."""
    async with api.client() as client:
        batch = await announced(client, 1, idempotencyKey="k")
        await send(client, batch["id"], lines(echo(0)))
        [run_id] = (await client.get(f"/api/v2/batches/{batch['id']}")).json()["runs"]
        item_key = hashlib.sha256(b"k-0").hexdigest()
        again = await client.post(
            "/api/v1/tasks/t-echo/trigger", json={"payload": 1, "options": {"idempotencyKey": item_key}}
        )
    assert again.json() == {"id": run_id, "isCached": True}


async def test_wrong_batches_and_items_are_refused(api: Api) -> None:
    """With the number of the line; what came before it stays, and the batch can be filled."""
    async with api.client() as client:
        batch_id = (await announced(client, 2))["id"]
        refused = [
            (await client.post(BATCHES, json={"runCount": 0}), 422, "invalid_count"),
            (await client.post(BATCHES, json={"runCount": 10_001}), 422, "invalid_count"),
            (await client.post(BATCHES, json={"runCount": "2"}), 400, "invalid_body"),
            (await send(client, batch_id, lines(echo(0)) + b"{nonsense\n"), 400, "invalid_json"),
            (await send(client, batch_id, lines(echo(2))), 400, "invalid_index"),
            (await send(client, batch_id, lines({"index": 0})), 400, "invalid_body"),
            (await send(client, batch_id, b'{"index":0,"task":"' + b"x" * 4_000_000), 413, "body_too_large"),
            (await client.post(f"{BATCHES}/{batch_id}/items", json=[]), 415, "unsupported_media_type"),
            (await send(client, f"batch_00{'0' * 31}", lines(echo(0))), 404, "batch_not_found"),
            (await send(client, "nothing", lines(echo(0))), 404, "batch_not_found"),
        ]
        filled = await send(client, batch_id, lines(echo(0), echo(1)))
    assert [(answer.status_code, answer.json()["code"]) for answer, _, _ in refused] == [
        (status, code) for _, status, code in refused
    ]
    assert refused[3][0].json()["error"].startswith("Line 2:")
    assert filled.json()["sealed"]


async def test_a_body_of_more_lines_than_a_batch_may_have_is_refused(api: Api) -> None:
    """Empty lines and repeats would hold the request for ever."""
    async with api.client() as client:
        batch = await announced(client, 2)
        answer = await send(client, batch["id"], b"\n" * 20_001)
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


async def test_a_batch_in_one_request_and_the_results_of_its_runs(api: Api) -> None:
    """Older clients send items and batch together; results are those of the runs that have ended."""
    async with api.client() as client:
        body = {"items": [{"task": "t-echo", "payload": n, "options": {"delay": "1h"}} for n in range(3)]}
        made = await client.post("/api/v2/tasks/batch", json=body)
        batch_id = made.json()["id"]
        runs = (await client.get(f"/api/v2/batches/{batch_id}")).json()["runs"]
        await client.post(f"/api/v2/runs/{runs[1]}/cancel")
        results = (await client.get(f"/api/v1/batches/{batch_id}/results")).json()
    assert (made.status_code, made.json()["runCount"], len(runs)) == (202, 3, 3)
    assert [(item["id"], item["ok"], item["error"]["name"]) for item in results["items"]] == [
        (runs[1], False, "Canceled")
    ]
