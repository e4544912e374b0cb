"""Batches and queues, and what this server does not have, as the official client sees them."""

import time
from typing import Any

import pytest

from tests.interop.official_client import ClientError, OfficialClient
from tests.interop.test_realtime import triggered

pytestmark = pytest.mark.timeout(60)


def ended(client: OfficialClient, batch_id: str) -> dict[str, Any]:
    """Return a batch once all its runs have ended."""
    while True:
        batch: dict[str, Any] = client.call("batch.retrieve", batch_id)
        if batch["status"] not in ("PENDING", "PROCESSING"):
            return batch
        time.sleep(0.05)


def test_a_batch_of_one_task_is_triggered_and_followed(client: OfficialClient) -> None:
    """Runs are in the order of their items."""
    items = [{"payload": n, "options": {"tags": [f"item-{n}"]}} for n in range(5)]
    handle = client.call("tasks.batchTrigger", "interop-echo", items)
    assert handle["runCount"] == 5
    batch = ended(client, handle["batchId"])
    assert (batch["status"], batch["runCount"], len(batch["runs"])) == ("COMPLETED", 5, 5)
    outputs = [client.call("runs.retrieve", run_id)["output"] for run_id in batch["runs"]]
    assert outputs == [0, 1, 2, 3, 4]
    states = client.call("runs.subscribeToBatch", handle["batchId"], take=5)
    assert {state["id"] for state in states} == set(batch["runs"])
    by_token = client.call("runs.subscribeToBatch", handle["batchId"], take=5, key=handle["publicAccessToken"])
    assert len(by_token) == 5


def test_a_batch_of_several_tasks_is_triggered(client: OfficialClient) -> None:
    """Large payloads are uploaded item by item."""
    items = [
        {"id": "interop-echo", "payload": {"$big": 150_000}},
        {"id": "interop-greet", "payload": {"message": "b"}},
        {"id": "interop/nested", "payload": "text"},
    ]
    batch = ended(client, client.call("batch.trigger", items)["batchId"])
    runs = [client.call("runs.retrieve", run_id) for run_id in batch["runs"]]
    assert [run["taskIdentifier"] for run in runs] == ["interop-echo", "interop-greet", "interop/nested"]
    assert (len(runs[0]["output"]), runs[1]["output"], runs[2]["output"]) == (150_000, "B", "text")


def test_a_batch_key_finds_the_same_batch(client: OfficialClient) -> None:
    """And so do the keys that it gives its items."""
    key = client.call("idempotencyKeys.create", f"batch-{time.time_ns()}")
    items = [{"payload": 1}, {"payload": 2}]
    first, again = (client.call("tasks.batchTrigger", "interop-echo", items, {"idempotencyKey": key}) for _ in range(2))
    assert again["batchId"] == first["batchId"]
    assert client.call("batch.retrieve", again["batchId"])["runCount"] == 2


def test_a_token_for_batches_is_spent_by_one(client: OfficialClient) -> None:
    """It names the tasks, and its holder triggers no others."""
    token = client.call("auth.createBatchTriggerPublicToken", ["interop-echo"])
    with pytest.raises(ClientError) as refused:
        client.call("tasks.batchTrigger", "interop-greet", [{"payload": {"message": "x"}}], key=token)
    assert "403" in str(refused.value) or refused.value.status == 403
    handle = client.call("tasks.batchTrigger", "interop-echo", [{"payload": 1}], key=token)
    assert ended(client, handle["batchId"])["status"] == "COMPLETED"
    with pytest.raises(ClientError) as refused:
        client.call("tasks.batchTrigger", "interop-echo", [{"payload": 1}], key=token)
    assert "422" in str(refused.value) or refused.value.status == 422


def test_queues_are_listed_paused_and_limited(client: OfficialClient) -> None:
    """By the task's id, by the queue's name, and by the id of a listing."""
    triggered(client, "interop/nested", 1)
    triggered(client, "interop-echo", 1)
    listed = client.call("queues.list", {"page": 1, "perPage": 100})
    assert listed["pagination"]["currentPage"] == 1
    by_name = {queue["name"]: queue for queue in listed["data"]}
    assert by_name["interop-echo"]["type"] == "task"
    custom = by_name["interop-quick"]
    assert (custom["type"], custom["concurrencyLimit"], custom["paused"]) == ("custom", 50, False)
    name = {"type": "custom", "name": "interop-quick"}
    assert client.call("queues.retrieve", custom["id"])["name"] == "interop-quick"
    assert client.call("queues.retrieve", name)["concurrency"]["base"] == 50
    assert client.call("queues.pause", name)["paused"] is True
    assert client.call("queues.resume", name)["paused"] is False
    overridden = client.call("queues.overrideConcurrencyLimit", name, 3)
    assert (overridden["concurrencyLimit"], overridden["concurrency"]["override"]) == (3, 3)
    reset = client.call("queues.resetConcurrencyLimit", name)
    assert (reset["concurrencyLimit"], reset["concurrency"]["override"]) == (50, None)
    with pytest.raises(ClientError) as refused:
        client.call("queues.overrideConcurrencyLimit", name, -1)
    assert refused.value.status == 400
    with pytest.raises(ClientError) as refused:
        client.call("queues.retrieve", {"type": "custom", "name": "interop-nowhere"})
    assert refused.value.status == 404
    task = {"type": "task", "name": "interop-echo"}
    assert client.call("queues.retrieve", task)["type"] == "task"


@pytest.mark.parametrize(
    "call,args",
    [
        ("envvars.list", ["proj_x", "dev"]),
        ("query.execute", ["SELECT 1"]),
        ("client.generateJWTClaims", []),
    ],
)
def test_what_this_server_has_not_is_refused_at_once(client: OfficialClient, call: str, args: list[Any]) -> None:
    """404 or 501 that is not tried again."""
    began = time.monotonic()
    with pytest.raises(ClientError) as refused:
        client.call(call, *args)
    assert refused.value.status in (404, 501)
    assert time.monotonic() - began < 3
