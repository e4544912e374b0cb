"""Runs over HTTP: the run object, and the verbs on one run."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.models import RunStatus
from tests.conftest import StartFleet
from tests.support.api import Api
from tests.support.servers import RedisServer

UNKNOWN = f"run_00{'0' * 31}"
DELAYED = TriggerOptions.checked(delay="1h", tags=["a"], metadata={"k": 1}, ttl="10m")


def make(api: Api, payload: object = 1, options: TriggerOptions = DELAYED, task: str = "t-echo") -> str:
    """Trigger a run that does not start."""
    return api.flow.engine.runs.trigger(task, payload, options).run_id


async def test_a_run_has_every_field_that_the_client_requires_and_none_that_is_null(api: Api) -> None:
    """The client refuses null where a field may be absent."""
    run_id = await asyncio.to_thread(make, api, {"a": None})
    async with api.client() as client:
        run = (await client.get(f"/api/v3/runs/{run_id}")).json()
    assert datetime.fromisoformat(run.pop("delayedUntil")) - datetime.fromisoformat(run.pop("createdAt")) == timedelta(
        hours=1
    )
    assert run.pop("updatedAt").endswith("Z")
    assert run == {
        "id": run_id,
        "taskIdentifier": "t-echo",
        "status": "DELAYED",
        "isQueued": True,
        "isExecuting": False,
        "isWaiting": False,
        "isCompleted": False,
        "isSuccess": False,
        "isFailed": False,
        "isCancelled": False,
        "isTest": False,
        "tags": ["a"],
        "costInCents": 0.0,
        "baseCostInCents": 0.0,
        "durationMs": 0,
        "ttl": "600s",
        "metadata": {"k": 1},
        "depth": 0,
        "triggerFunction": "trigger",
        "payload": {"a": None},
        "relatedRuns": {},
        "attemptCount": 0,
    }


async def test_runs_end_on_a_worker_and_show_output_and_error(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """An output of null is there, and so is an error with its traceback."""
    fleet = start_fleet(valkey.url)
    node = await asyncio.to_thread(fleet.start_node, executor="async")
    assert node.pid
    api = Api(fleet.flow)
    async with api.client() as client:
        done = [await _end(client, "t-async-echo", value) for value in ("hi", None, {"a": [1]})]
        assert [run["output"] for run in done] == ["hi", None, {"a": [1]}]
        assert [run["payload"] for run in done] == ["hi", None, {"a": [1]}]
        failed = await _end(client, "t-async-flaky", 9)
        results = [(await client.get(f"/api/v1/runs/{run['id']}/result")).json() for run in (done[2], failed)]
    assert done[0]["status"] == "COMPLETED"
    assert (done[0]["isCompleted"], done[0]["isSuccess"], done[0]["attemptCount"]) == (True, True, 1)
    assert "output" not in failed
    assert (failed["status"], failed["isFailed"], failed["isCompleted"]) == ("FAILED", True, True)
    assert failed["error"]["name"]
    assert "Traceback" in failed["error"]["stackTrace"]
    assert results[0]["ok"]
    assert (results[0]["output"], results[0]["outputType"]) == ('{"a":[1]}', "application/json")
    assert not results[1]["ok"]
    assert results[1]["error"]["type"] == "BUILT_IN_ERROR"


async def _end(client: httpx.AsyncClient, task: str, payload: object) -> dict[str, Any]:
    run_id = (await client.post(f"/api/v1/tasks/{task}/trigger", json={"payload": payload})).json()["id"]
    for _ in range(200):
        run: dict[str, Any] = (await client.get(f"/api/v3/runs/{run_id}")).json()
        if run["isCompleted"]:
            return run
        await asyncio.sleep(0.05)
    raise AssertionError(f"{run_id} did not end")


async def test_cancel_is_safe_to_repeat(api: Api) -> None:
    """Also for a run that has ended; its record says which key did it."""
    run_id = await asyncio.to_thread(make, api)
    async with api.client() as client:
        answers = [await client.post(f"/api/v2/runs/{run_id}/cancel") for _ in range(2)]
        run = (await client.get(f"/api/v3/runs/{run_id}")).json()
    assert [answer.json() for answer in answers] == [{"id": run_id}, {"id": run_id}]
    assert (run["status"], run["isCancelled"], run["isFailed"]) == ("CANCELED", True, False)
    canceled_by = (await api.flow.engine.runs.aretrieve(run_id)).canceled_by
    assert canceled_by
    assert canceled_by.startswith("API key_")


async def test_a_replay_takes_options_of_its_own(api: Api) -> None:
    """What is not given is that of the old run; a repeated request makes one run."""
    run_id = await asyncio.to_thread(make, api)
    path = f"/api/v1/runs/{run_id}/replay"
    body = {"payload": '{"json":{"b":2}}', "payloadType": "application/super+json", "tags": ["c"], "queue": "t-three"}
    async with api.client() as client:
        plain = (await client.post(path)).json()["id"]
        again = [
            (await client.post(path, json=body, headers={"x-trigger-request-idempotency-key": "k"})).json()["id"]
            for _ in range(2)
        ]
    same, other = [await api.flow.engine.runs.aretrieve(each) for each in (plain, again[0])]
    assert again[0] == again[1] != plain
    assert (same.payload, same.tags, same.metadata, same.replay_of) == (1, ("a",), {"k": 1}, run_id)
    assert (other.payload, other.tags, other.queue, other.replay_of) == ({"b": 2}, ("c",), "t-three", run_id)


async def test_a_delayed_run_is_moved_and_another_one_is_not(api: Api) -> None:
    """The answer is the whole run."""
    run_id = await asyncio.to_thread(make, api)
    queued = await asyncio.to_thread(make, api, 1, TriggerOptions())
    due = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
    async with api.client() as client:
        moved = await client.post(f"/api/v1/runs/{run_id}/reschedule", json={"delay": "2030-01-02T03:04:05.000Z"})
        refused = await client.post(f"/api/v1/runs/{queued}/reschedule", json={"delay": "2h"})
    assert datetime.fromisoformat(moved.json()["delayedUntil"]) == due
    assert (refused.status_code, refused.json()["code"]) == (422, "run_not_delayed")


async def test_tags_are_added_all_or_none(api: Api) -> None:
    """More than ten in all are refused as a whole."""
    run_id = await asyncio.to_thread(make, api)
    path = f"/api/v1/runs/{run_id}/tags"
    async with api.client() as client:
        one = await client.post(path, json={"tags": "b"})
        same = await client.post(path, json={"tags": ["a", "c"]})
        many = await client.post(path, json={"tags": [f"t{n}" for n in range(8)]})
    assert one.json() == {"message": "Successfully set 1 new tags."}
    assert same.json() == {"message": "Successfully set 1 new tags."}
    assert (many.status_code, many.json()["code"]) == (422, "invalid_update")
    assert (await api.flow.engine.runs.aretrieve(run_id)).tags == ("a", "b", "c")


async def test_metadata_operations_apply_in_order_and_at_once(api: Api) -> None:
    """Paths begin with `$.`; a repeated request changes nothing."""
    run_id = await asyncio.to_thread(make, api)
    path = f"/api/v1/runs/{run_id}/metadata"
    operations = [
        {"type": "set", "key": "$.deep.er", "value": [1]},
        {"type": "append", "key": "$.deep.er", "value": 2},
        {"type": "append", "key": "k", "value": 2},
        {"type": "increment", "key": "n", "value": -1.5},
        {"type": "set", "key": "gone", "value": None},
        {"type": "delete", "key": "gone"},
        {"type": "remove", "key": "k", "value": 1},
    ]
    async with api.client() as client:
        key = {"x-trigger-request-idempotency-key": "m1"}
        answers = [await client.put(path, json={"operations": operations}, headers=key) for _ in range(2)]
        read = await client.get(path)
        replaced = await client.put(path, json={"metadata": {"new": True}})
        refused = [
            await client.put(path, json={"operations": [{"type": "set", "key": "__proto__", "value": 1}]}),
            await client.put(path, json={"operations": [{"type": "increment", "key": "n", "value": "1"}]}),
            await client.put(path, json={"metadata": {"k": "x" * 300_000}}),
        ]
    expected = {"metadata": {"k": [2], "deep": {"er": [1, 2]}, "n": -1.5}}
    assert [answer.json() for answer in answers] == [expected, expected]
    assert read.json() == expected
    assert replaced.json() == {"metadata": {"new": True}}
    assert [answer.status_code for answer in refused] == [400, 400, 413]
    assert refused[2].json()["code"] == "metadata_too_large"


async def test_an_operation_that_does_not_fit_the_metadata_is_refused_with_all_others(api: Api) -> None:
    """The answer 200 would say that it was done."""
    run_id = await asyncio.to_thread(make, api, 1, TriggerOptions.checked(delay="1h", metadata={"k": 1, "big": 1e308}))
    path = f"/api/v1/runs/{run_id}/metadata"
    misfits: list[dict[str, Any]] = [
        {"type": "set", "key": "$.k.inner", "value": 2},
        {"type": "increment", "key": "big", "value": 1e308},
        {"type": "remove", "key": "k", "value": 1},
        {"type": "increment", "key": "$.k.n", "value": 1},
    ]
    async with api.client() as client:
        for misfit in misfits:
            operations = [{"type": "set", "key": "other", "value": 1}, misfit]
            answer = await client.put(path, json={"operations": operations})
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid_update"), misfit
            assert misfit["type"] in answer.json()["error"]
            assert misfit["key"].removeprefix("$.") in answer.json()["error"]
        read = (await client.get(path)).json()
        too_large = await client.put(path, json={"operations": [{"type": "set", "key": "k", "value": "x" * 300_000}]})
        body = {"payload": 1, "options": {"metadata": {"k": "x" * 300_000}}}
        triggered = await client.post("/api/v1/tasks/t-echo/trigger", json=body)
    assert read == {"metadata": {"k": 1, "big": 1e308}}
    for answer in (too_large, triggered):
        assert (answer.status_code, answer.json()["code"]) == (413, "metadata_too_large")


async def test_an_unknown_run_is_404_for_good(api: Api) -> None:
    """The client repeats nothing that can't succeed. An id may be any text."""
    requests: list[tuple[str, str, object]] = [
        ("GET", "/api/v3/runs/{}", None),
        ("POST", "/api/v2/runs/{}/cancel", None),
        ("POST", "/api/v1/runs/{}/replay", None),
        ("POST", "/api/v1/runs/{}/reschedule", {"delay": "1h"}),
        ("POST", "/api/v1/runs/{}/tags", {"tags": "a"}),
        ("GET", "/api/v1/runs/{}/metadata", None),
        ("PUT", "/api/v1/runs/{}/metadata", {"metadata": {}}),
        ("GET", "/api/v1/runs/{}/result", None),
    ]
    async with api.client() as client:
        for method, path, body in requests:
            for run_id in (UNKNOWN, "nothing", "%00", "%ED%A0%80"):
                answer = await client.request(method, path.format(run_id), json=body)
                assert (answer.status_code, answer.json()["code"]) == (404, "run_not_found"), path
                assert answer.headers["x-should-retry"] == "false"


async def test_the_result_of_a_run_that_has_not_ended_is_404(api: Api) -> None:
    """As the official server answers."""
    run_id = await asyncio.to_thread(make, api)
    async with api.client() as client:
        answer = await client.get(f"/api/v1/runs/{run_id}/result")
    assert (answer.status_code, answer.json()["code"]) == (404, "run_not_finished")
    assert (await api.flow.engine.runs.astatus(run_id)) is RunStatus.DELAYED
