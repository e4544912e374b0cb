"""Wait tokens: the official client makes, finds and completes them, and everybody else by their URL."""

import time
from typing import Any

import httpx
import pytest

from tests.interop.official_client import UNDEFINED, ClientError, OfficialClient
from tests.interop.test_realtime import triggered

pytestmark = pytest.mark.timeout(60)


def result_of(client: OfficialClient, run_id: str) -> Any:
    """Return the output of a run once it has ended."""
    return client.call("runs.poll", run_id, {"pollIntervalMs": 50})["output"]


def test_a_run_waits_for_a_token_that_the_client_completes(client: OfficialClient) -> None:
    """The id is that of the API; the engine knows it, too."""
    token = client.call("wait.createToken", {"timeout": "10m", "tags": ["a", "b"]})
    assert token["id"].startswith("waitpoint_")
    assert token["isCached"] is False
    run_id = triggered(client, "interop-hold", token["id"].replace("waitpoint_", "token_"))
    assert client.call("wait.retrieveToken", token["id"])["status"] == "WAITING"
    assert client.call("wait.completeToken", token["id"], {"approved": True}) == {"success": True}
    assert client.call("wait.completeToken", token["id"], {"approved": False}) == {"success": True}
    assert result_of(client, run_id) == {"approved": True}
    found = client.call("wait.retrieveToken", token["id"])
    assert (found["status"], found["output"], found["tags"]) == ("COMPLETED", {"approved": True}, ["a", "b"])
    assert "$date" in found["completedAt"]
    assert "$date" in found["timeoutAt"]


def test_a_token_completes_with_nothing(client: OfficialClient) -> None:
    """``undefined`` becomes null."""
    token = client.call("wait.createToken", {})
    run_id = triggered(client, "interop-hold", token["id"].replace("waitpoint_", "token_"))
    client.call("wait.completeToken", token["id"], UNDEFINED)
    assert result_of(client, run_id) is None


def test_anybody_with_its_url_completes_a_token(client: OfficialClient) -> None:
    """No key; JSON is the output, and anything else an empty object. A wrong URL completes nothing."""
    for content, output in ((b'{"from": "stripe"}', {"from": "stripe"}), (b"no json", {}), (b"", {})):
        token = client.call("wait.createToken", {})
        assert httpx.post(token["url"][:-1] + "x", content=b"1").status_code == 401
        assert client.call("wait.retrieveToken", token["id"])["status"] == "WAITING"
        assert httpx.post(token["url"], content=content).json() == {"success": True}
        assert client.call("wait.retrieveToken", token["id"])["output"] == output


def test_the_token_of_a_token_completes_only_this_one(client: OfficialClient) -> None:
    """A page gets ``publicAccessToken``; it may do nothing else."""
    token, other = (client.call("wait.createToken", {}) for _ in range(2))
    page = token["publicAccessToken"]
    with pytest.raises(ClientError) as refused:
        client.call("wait.completeToken", other["id"], 1, key=page)
    assert (refused.value.status, refused.value.code) == (403, "unauthorized")
    with pytest.raises(ClientError) as refused:
        client.call("wait.createToken", {}, key=page)
    assert refused.value.status in (401, 403)
    assert client.call("wait.completeToken", token["id"], "yes", key=page) == {"success": True}
    assert client.call("wait.retrieveToken", token["id"])["output"] == "yes"


def test_a_token_times_out(client: OfficialClient) -> None:
    """Its output is an error, which the client shows as one."""
    token = client.call("wait.createToken", {"timeout": "1s"})
    run_id = triggered(client, "interop-hold", token["id"].replace("waitpoint_", "token_"))
    assert result_of(client, run_id) == "timed out"
    found = client.call("wait.retrieveToken", token["id"])
    assert found["status"] == "TIMED_OUT"
    assert "timed out" in str(found["error"])


def test_an_idempotency_key_finds_the_same_token(client: OfficialClient) -> None:
    """It is not hashed by the client."""
    key = f"k-{time.time_ns()}"
    first = client.call("wait.createToken", {"idempotencyKey": key, "idempotencyKeyTTL": "1h"})
    again = client.call("wait.createToken", {"idempotencyKey": key})
    assert (again["id"], again["isCached"]) == (first["id"], True)
    listed = client.call("wait.listTokens", {"idempotencyKey": key})
    assert [token["id"] for token in listed["data"]] == [first["id"]]


def test_tokens_are_listed_in_pages_both_ways(client: OfficialClient) -> None:
    """Newest first; going back and on again shows the same pages."""
    tag = f"t-{time.time_ns()}"
    made = [client.call("wait.createToken", {"tags": [tag]})["id"] for _ in range(5)][::-1]
    client.call("wait.completeToken", made[0], 1)
    query = {"tags": [tag], "limit": 2}

    def ids(*steps: str) -> list[str]:
        page = client.call("wait.listTokens", query, pages=list(steps))
        return [token["id"] for token in page["data"]]

    assert ids() == made[:2]
    assert ids("getNextPage") == made[2:4]
    assert ids("getNextPage", "getNextPage") == made[4:]
    assert ids("getNextPage", "getNextPage", "getPreviousPage") == made[2:4]
    assert ids("getNextPage", "getPreviousPage", "getNextPage") == made[2:4]
    assert [token["id"] for token in client.call("wait.listTokens", query, all=True)] == made
    completed = client.call("wait.listTokens", {"tags": [tag], "status": "COMPLETED", "period": "1h"})
    assert [token["id"] for token in completed["data"]] == made[:1]
    assert "next" not in completed["pagination"]


@pytest.mark.parametrize(
    "options,status",
    [
        ({"timeout": "soon"}, 422),
        ({"tags": [str(n) for n in range(11)]}, 422),
        ({"idempotencyKeyTTL": "no", "idempotencyKey": "a"}, 422),
    ],
)
def test_impossible_tokens_are_refused(client: OfficialClient, options: dict[str, Any], status: int) -> None:
    """The reason reaches the caller at once."""
    with pytest.raises(ClientError) as refused:
        client.call("wait.createToken", options)
    assert refused.value.status == status


def test_an_unknown_token_is_not_found(client: OfficialClient) -> None:
    """404 with our code."""
    for call, *args in (("wait.retrieveToken", "waitpoint_x"), ("wait.completeToken", "waitpoint_x", 1)):
        with pytest.raises(ClientError) as refused:
            client.call(call, *args)
        assert (refused.value.status, refused.value.code) == (404, "token_not_found")
