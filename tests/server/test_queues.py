"""Queues over HTTP: names in three forms, pauses, and limits."""

from typing import Any

import httpx

from tests.support.api import Api

QUEUES = "/api/v1/queues"


async def act(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Change a queue and return it."""
    answer = await client.post(f"{QUEUES}/{path}", json=body)
    assert answer.status_code == 200, answer.text
    queue: dict[str, Any] = answer.json()
    return queue


async def test_a_queue_is_found_by_its_task_its_name_and_its_id(api: Api) -> None:
    """The client encodes a slash twice."""
    async with api.client() as client:
        task = (await client.get(f"{QUEUES}/t-echo?type=task")).json()
        same = [
            (await client.get(f"{QUEUES}/task%252Ft-echo?type=task")).json(),
            (await client.get(f"{QUEUES}/task%2Ft-echo?type=custom")).json(),
            (await client.get(f"{QUEUES}/{task['id']}")).json(),
        ]
        custom = (await client.get(f"{QUEUES}/t-three?type=custom")).json()
        unknown = [
            await client.get(f"{QUEUES}/{path}")
            for path in ("nothing?type=custom", "nothing?type=task", "queue_nothing", "t-three", "queue_%00")
        ]
    assert (task["name"], task["type"], task["paused"]) == ("t-echo", "task", False)
    assert same == [task] * 3
    assert (custom["name"], custom["type"], custom["concurrencyLimit"]) == ("t-three", "custom", 3)
    assert custom["concurrency"] == {
        "current": 3, "base": 3, "override": None, "overriddenAt": None, "overriddenBy": None
    }  # fmt: skip
    assert task["concurrencyLimit"] is None
    assert {(answer.status_code, answer.json()["code"]) for answer in unknown} == {(404, "queue_not_found")}


async def test_queues_are_paused_and_limited_and_go_back(api: Api) -> None:
    """Each answer is the queue as it is then."""
    async with api.client() as client:
        paused = await act(client, "t-three/pause", {"type": "custom", "action": "pause"})
        resumed = await act(client, "t-three/pause", {"type": "custom", "action": "resume"})
        limited = await act(client, "t-three/concurrency/override", {"type": "custom", "concurrencyLimit": 7})
        stopped = await act(client, "t-three/concurrency/override", {"type": "custom", "concurrencyLimit": 0})
        reset = await act(client, "t-three/concurrency/reset", {"type": "custom"})
        wrong = [
            await client.post(
                f"{QUEUES}/t-three/concurrency/override", json={"type": "custom", "concurrencyLimit": limit}
            )
            for limit in (-1, 100_001, "3", None)
        ]
    assert (paused["paused"], resumed["paused"]) == (True, False)
    assert (limited["concurrencyLimit"], limited["concurrency"]["override"], limited["concurrency"]["base"]) == (
        7,
        7,
        3,
    )
    assert limited["concurrency"]["overriddenAt"].endswith("Z")
    assert (stopped["concurrencyLimit"], stopped["concurrency"]["override"]) == (0, 0)
    assert (reset["concurrencyLimit"], reset["concurrency"]["override"]) == (3, None)
    assert {(answer.status_code, answer.json()["code"]) for answer in wrong} == {(400, "invalid_body")}


async def test_lists_are_pages_by_number(api: Api) -> None:
    """All three numbers of the position are there."""
    async with api.client() as client:
        first = (await client.get(f"{QUEUES}?page=1&perPage=2")).json()
        count = first["pagination"]["count"]
        last = (await client.get(f"{QUEUES}?page={first['pagination']['totalPages']}&perPage=2")).json()
        wrong = [(await client.get(f"{QUEUES}?{query}")).status_code for query in ("page=0", "perPage=101", "page=x")]
    assert first["pagination"] == {"currentPage": 1, "totalPages": -(-count // 2), "count": count}
    assert len(first["data"]) == 2
    assert len(last["data"]) == 2 - count % 2
    assert wrong == [400, 400, 400]
