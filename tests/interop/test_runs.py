"""Runs: the official client reads, lists, cancels, replays and changes them."""

import time
from typing import Any

import pytest

from tests.interop.official_client import UNDEFINED, ClientError, OfficialClient
from tests.interop.test_realtime import send, triggered

pytestmark = pytest.mark.timeout(60)
QUICKLY = {"pollIntervalMs": 30}


def ended(client: OfficialClient, run_id: str) -> dict[str, Any]:
    """Return a run once it has ended."""
    run: dict[str, Any] = client.call("runs.poll", run_id, QUICKLY)
    return run


def test_a_run_is_shown_with_all_that_its_trigger_said(client: OfficialClient) -> None:
    """Dates are dates, flags are booleans, and what is not there is left out."""
    options = {
        "tags": ["a", "user:1"],
        "metadata": {"k": 1},
        "ttl": "10m",
        "maxAttempts": 2,
        "maxDuration": 60,
        "priority": 3,
        "concurrencyKey": "17",
        "idempotencyKey": f"shown-{time.time_ns()}",
        "queue": "task/interop-greet",
    }
    run = ended(client, triggered(client, "interop-greet", {"message": "hi"}, **options))
    assert (run["status"], run["output"], run["payload"]) == ("COMPLETED", "HI", {"message": "hi"})
    assert run["taskIdentifier"] == "interop-greet"
    assert (set(run["tags"]), run["metadata"], run["ttl"]) == ({"a", "user:1"}, {"k": 1}, "600s")
    assert run["idempotencyKey"] == options["idempotencyKey"]
    flags = ("isQueued", "isExecuting", "isWaiting", "isCompleted", "isSuccess", "isFailed", "isCancelled", "isTest")
    assert [run[flag] for flag in flags] == [False, False, False, True, True, False, False, False]
    assert all("$date" in run[name] for name in ("createdAt", "updatedAt", "startedAt", "finishedAt"))
    assert (run["attemptCount"], run["depth"], run["costInCents"], run["triggerFunction"]) == (1, 0, 0, "trigger")
    assert run["relatedRuns"] == {}
    assert run["durationMs"] >= 0
    assert "error" not in run
    assert "delayedUntil" not in run


def test_a_failed_run_says_why(client: OfficialClient) -> None:
    """Name, message, stack and causes."""
    run = ended(client, triggered(client, "interop-fail", 1))
    assert (run["status"], run["isFailed"], run["isSuccess"]) == ("FAILED", True, False)
    assert run["error"]["name"] == "AbortRun"
    assert run["error"]["message"] == "boom"
    assert "the cause" in str(run["error"])


def test_families_are_related(client: OfficialClient) -> None:
    """A parent shows its children, a child its parent and root."""
    parent = ended(client, triggered(client, "interop-family", 5))
    assert parent["output"] == 5
    (child,) = client.call("runs.list", {"taskIdentifier": "interop-echo", "limit": 1})["data"]
    shown = client.call("runs.retrieve", child["id"])
    assert shown["relatedRuns"]["parent"]["id"] == parent["id"]
    assert shown["relatedRuns"]["root"]["id"] == parent["id"]
    assert (shown["depth"], shown["taskIdentifier"]) == (1, "interop-echo")


def test_runs_are_listed_by_every_filter_in_pages_both_ways(client: OfficialClient) -> None:
    """Newest first; the client piles cursors up."""
    tag = f"list-{time.time_ns()}"
    ids = [triggered(client, "interop-echo", n, tags=[tag]) for n in range(5)]
    failed = triggered(client, "interop-fail", 1, tags=[tag])
    for run_id in (*ids, failed):
        ended(client, run_id)
    newest = [failed, *reversed(ids)]

    def page(*steps: str) -> list[str]:
        found = client.call("runs.list", {"tag": tag, "limit": 2}, pages=list(steps))
        return [run["id"] for run in found["data"]]

    assert page() == newest[:2]
    assert page("getNextPage") == newest[2:4]
    assert page("getNextPage", "getPreviousPage") == newest[:2]
    assert page("getNextPage", "getPreviousPage", "getNextPage") == newest[2:4]
    assert [run["id"] for run in client.call("runs.list", {"tag": tag, "limit": 4}, all=True)] == newest

    def found(**filters: Any) -> list[str]:
        return [run["id"] for run in client.call("runs.list", {"tag": tag, **filters})["data"]]

    assert found(status="FAILED") == [failed]
    assert found(status=["FAILED", "COMPLETED"]) == newest
    assert found(taskIdentifier=["interop-echo"]) == newest[1:]
    assert found(queue={"type": "task", "name": "interop-fail"}) == [failed]
    assert found(isTest=True) == []
    assert found(period="1h") == newest
    assert found(to={"$date": "2020-01-01T00:00:00.000Z"}) == []
    listed = client.call("runs.list", {"tag": tag})["data"][0]
    assert listed["env"]["id"].startswith("env_")


def test_a_waiting_run_is_canceled(client: OfficialClient) -> None:
    """Again, and after its end, it is no error."""
    token = client.call("wait.createToken", {})
    run_id = triggered(client, "interop-hold", token["id"].replace("waitpoint_", "token_"))
    assert client.call("runs.cancel", run_id)["id"] == run_id
    run = ended(client, run_id)
    assert (run["status"], run["isCancelled"], run["isCompleted"], run["isFailed"]) == ("CANCELED", True, True, False)
    assert client.call("runs.cancel", run_id)["id"] == run_id


def test_a_run_is_replayed_with_its_payload_or_another_one(client: OfficialClient) -> None:
    """What the replay does not say is as it was."""
    first = triggered(client, "interop-echo", {"n": 1}, tags=["kept"])
    ended(client, first)
    again = ended(client, client.call("runs.replay", first)["id"])
    assert (again["payload"], again["output"], again["tags"]) == ({"n": 1}, {"n": 1}, ["kept"])
    changed = {"payload": {"n": 2, "at": {"$date": "2026-01-02T03:04:05.678Z"}}, "tags": ["new"], "metadata": {"m": 1}}
    other = ended(client, client.call("runs.replay", first, changed)["id"])
    assert other["payload"] == {"n": 2, "at": "2026-01-02T03:04:05.678Z"}
    assert other["metadata"] == {"m": 1}
    assert "new" in other["tags"]


def test_a_delayed_run_is_rescheduled(client: OfficialClient) -> None:
    """The whole run comes back. One that is not delayed is refused at once."""
    run_id = triggered(client, "interop-echo", 1, delay="1h")
    run = client.call("runs.retrieve", run_id)
    assert (run["status"], run["isQueued"]) == ("DELAYED", True)
    moved = client.call("runs.reschedule", run_id, {"delay": "2h"})
    assert moved["delayedUntil"]["$date"] > run["delayedUntil"]["$date"]
    client.call("runs.cancel", run_id)
    with pytest.raises(ClientError) as refused:
        client.call("runs.reschedule", run_id, {"delay": "2h"})
    assert (refused.value.status, refused.value.code) == (422, "run_not_delayed")


def test_tags_and_metadata_are_changed_from_outside(client: OfficialClient) -> None:
    """Ten tags at most; operations on metadata are atomic and in order."""
    run_id = triggered(client, "interop-progress", 1, tags=["a"])
    client.call("client.addTags", run_id, {"tags": ["b", "c"]})
    assert set(client.call("runs.retrieve", run_id)["tags"]) == {"a", "b", "c"}
    with pytest.raises(ClientError) as refused:
        client.call("client.addTags", run_id, {"tags": [str(n) for n in range(10)]})
    assert refused.value.status == 422
    operations = [
        {"type": "set", "key": "$.deep.er", "value": 1},
        {"type": "append", "key": "list", "value": 1},
        {"type": "append", "key": "list", "value": 2},
        {"type": "remove", "key": "list", "value": 1},
        {"type": "increment", "key": "n", "value": -1.5},
        {"type": "set", "key": "gone", "value": 1},
        {"type": "delete", "key": "gone"},
    ]
    changed = client.call("client.updateRunMetadata", run_id, {"operations": operations})["metadata"]
    assert (changed["deep"], changed["list"], changed["n"]) == ({"er": 1}, [2], -1.5)
    assert "gone" not in changed
    assert client.call("client.getRunMetadata", run_id)["metadata"]["list"] == [2]
    replaced = client.call("client.updateRunMetadata", run_id, {"metadata": {"only": True}})
    assert replaced["metadata"] == {"only": True}
    send(client, run_id, "end")


def test_results_are_packed(client: OfficialClient) -> None:
    """Of a run that has not ended there is none."""
    run_id = triggered(client, "interop-echo", {"a": 1})
    ended(client, run_id)
    result = client.call("client.getRunResult", run_id)
    assert (result["ok"], result["output"], result["outputType"]) == (True, '{"a":1}', "application/json")
    failed = triggered(client, "interop-fail", 1)
    ended(client, failed)
    assert client.call("client.getRunResult", failed)["error"]["type"] == "BUILT_IN_ERROR"
    delayed = triggered(client, "interop-echo", 1, delay="1h")
    assert client.call("client.getRunResult", delayed) == UNDEFINED, "the client makes this of a 404"
    client.call("runs.cancel", delayed)


def test_many_runs_are_canceled_and_replayed_at_once(client: OfficialClient) -> None:
    """By their ids or by a filter; the counts say what became of them."""
    tag = f"bulk-{time.time_ns()}"
    ids = [triggered(client, "interop-echo", 1, delay="1h", tags=[tag]) for _ in range(3)]
    action = client.call("runs.bulk.cancel", {"runIds": ids[:2]})
    done = action_ended(client, action["id"])
    assert (done["type"], done["counts"]["success"], done["counts"]["total"]) == ("CANCEL", 2, 2)
    assert [client.call("runs.retrieve", run_id)["status"] for run_id in ids] == ["CANCELED", "CANCELED", "DELAYED"]
    replay = client.call("runs.bulk.replay", {"filter": {"tag": tag, "status": ["CANCELED"]}})
    assert action_ended(client, replay["id"])["counts"]["success"] == 2
    client.call("runs.cancel", ids[2])


def action_ended(client: OfficialClient, action_id: str) -> dict[str, Any]:
    """Return a bulk action once it is done."""
    while True:
        action: dict[str, Any] = client.call("runs.bulk.retrieve", action_id)
        if action["status"] != "PENDING":
            return action
        time.sleep(0.05)


def test_unknown_runs_are_not_found_at_once(client: OfficialClient) -> None:
    """The client does not try again."""
    began = time.monotonic()
    for call in ("runs.retrieve", "runs.cancel", "runs.replay"):
        with pytest.raises(ClientError) as refused:
            client.call(call, "run_unknown")
        assert (refused.value.status, refused.value.code) == (404, "run_not_found")
    assert time.monotonic() - began < 2
