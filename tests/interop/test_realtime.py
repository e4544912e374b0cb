"""The official client follows runs and streams, and sends to runs."""

import time
from typing import Any

import httpx
import pytest

from tests.interop.official_client import ClientError, OfficialClient

pytestmark = pytest.mark.timeout(60)
ORDER = ("QUEUED", "EXECUTING", "WAITING", "COMPLETED", "FAILED")


def triggered(client: OfficialClient, task: str, payload: Any, **options: Any) -> str:
    """Trigger a run and return its id."""
    handle = client.call("tasks.trigger", task, payload, options)
    return str(handle["id"])


def send(client: OfficialClient, run_id: str, *items: Any) -> None:
    """Send items to a run."""
    for item in items:
        client.call("streams.input", {"id": "answers"}, member="send", memberArgs=[run_id, item])


def test_a_subscription_to_a_run_shows_each_change_and_ends_with_it(client: OfficialClient) -> None:
    """Metadata, tags, streams and the end arrive, and the iteration ends by itself."""
    run_id = triggered(client, "interop-progress", 7, tags=["one"])
    states = client.begin("runs.subscribeToRun", run_id, all=True)
    send(client, run_id, 1, 2, "end")
    seen = states.result(25)
    last = seen[-1]
    assert (last["status"], last["output"], last["isCompleted"], last["payload"]) == ("COMPLETED", 7, True, 7)
    assert last["metadata"] == {"step": 2}
    assert set(last["tags"]) == {"one", "done"}
    assert last["realtimeStreams"] == ["words"]
    assert all(state["id"] == run_id and "$date" in state["createdAt"] for state in seen)
    statuses = [state["status"] for state in seen]
    assert statuses == sorted(statuses, key=ORDER.index)


def test_a_subscription_to_a_finished_run_shows_it_and_ends(client: OfficialClient) -> None:
    """An error has its name, message and stack."""
    run_id = triggered(client, "interop-fail", 1)
    first = client.call("runs.subscribeToRun", run_id, all=True)[-1]
    again = client.call("runs.subscribeToRun", run_id, all=True)
    assert len(again) == 1
    assert again[0]["status"] == first["status"] == "FAILED"
    assert again[0]["error"]["name"] == "AbortRun"
    assert "boom" in again[0]["error"]["message"]
    assert "finishedAt" in again[0]


def test_columns_can_be_left_out(client: OfficialClient) -> None:
    """A page that shows the status only does not load payloads."""
    run_id = triggered(client, "interop-echo", {"large": True})
    (*_, last) = client.call("runs.subscribeToRun", run_id, {"skipColumns": ["payload", "output"]}, all=True)
    assert last["status"] == "COMPLETED"
    assert "payload" not in last
    assert "output" not in last


def test_a_token_says_which_columns_its_holder_sees(client: OfficialClient) -> None:
    """The columns of the token count, not those that its holder asks for."""
    run_id = triggered(client, "interop-echo", "secret")
    options = {"scopes": {"read": {"runs": run_id}}, "realtime": {"skipColumns": ["payload", "output"]}}
    token = client.call("auth.createPublicToken", options)
    (*_, last) = client.call("runs.subscribeToRun", run_id, {"skipColumns": []}, all=True, key=token)
    assert last["status"] == "COMPLETED"
    assert "payload" not in last
    assert "output" not in last


def test_the_runs_with_all_of_some_tags_are_followed(client: OfficialClient) -> None:
    """Those that are there come at once, later ones as they are made; one with a single tag never comes."""
    mark = f"mark-{time.time_ns()}"
    first = triggered(client, "interop-echo", 1, tags=[mark, "both"])
    client.call("runs.poll", first, {"pollIntervalMs": 50})
    states = client.begin("runs.subscribeToRunsWithTag", [mark, "both"], until={"payload": 3, "status": "COMPLETED"})
    triggered(client, "interop-echo", 2, tags=[mark])
    third = triggered(client, "interop-echo", 3, tags=[mark, "both"])
    seen = states.result(25)
    assert {state["id"] for state in seen} == {first, third}


def test_runs_before_the_bound_are_not_followed(client: OfficialClient) -> None:
    """``createdAt`` is fixed when the subscription begins."""
    mark = f"bound-{time.time_ns()}"
    old = triggered(client, "interop-echo", 1, tags=[mark])
    client.call("runs.poll", old, {"pollIntervalMs": 50})
    time.sleep(1.1)  # the bound is in whole seconds
    states = client.begin("runs.subscribeToRunsWithTag", mark, {"createdAt": "1s"}, take=1)
    new = triggered(client, "interop-echo", 2, tags=[mark])
    assert [state["id"] for state in states.result(25)] == [new]


def test_a_stream_is_read_from_its_beginning_or_from_an_item_on(client: OfficialClient) -> None:
    """Items of any JSON arrive as they were, in order, and reading ends with the run."""
    items = ["w0", {"n": 1}, [None, True], "", "two\nlines", "ü€"]
    run_id = triggered(client, "interop-words", items)
    assert client.call("streams.read", run_id, "words", all=True) == items
    assert client.call("streams.read", run_id, "words", {"startIndex": 2}, all=True) == items[2:]
    assert client.call("streams.read", run_id, "words", {"startIndex": 6}, all=True) == []
    assert client.call("streams.read", run_id, "unwritten", all=True) == []
    assert client.call("runs.fetchStream", run_id, "words", all=True) == items


def test_a_stream_is_followed_while_it_is_written(client: OfficialClient) -> None:
    """Each item comes when it is written."""
    run_id = triggered(client, "interop-progress", 1)
    read = client.begin("streams.read", run_id, "words", take=1)
    send(client, run_id, 5)
    assert read.result(25) == [{"step": 5}]
    rest = client.begin("streams.read", run_id, "words", {"startIndex": 1}, all=True)
    send(client, run_id, 6, "end")
    assert rest.result(25) == [{"step": 6}]


def test_a_silent_stream_ends_after_its_timeout(client: OfficialClient) -> None:
    """The reader decides how long it waits."""
    run_id = triggered(client, "interop-progress", 1)
    began = time.monotonic()
    assert client.call("streams.read", run_id, "words", {"timeoutInSeconds": 1}, all=True) == []
    assert 0.9 < time.monotonic() - began < 5
    send(client, run_id, "end")


def test_streams_come_with_the_run(client: OfficialClient) -> None:
    """``withStreams`` finds the streams of a run by its rows."""
    run_id = triggered(client, "interop-progress", 1)
    parts = client.begin("runs.subscribeToRun", run_id, asyncMember="withStreams", until={"type": "words"}, take=50)
    send(client, run_id, 9)
    (*_, last) = parts.result(25)
    assert (last["type"], last["chunk"]) == ("words", {"step": 9})
    send(client, run_id, "end")


def test_a_finished_run_takes_no_input(client: OfficialClient) -> None:
    """400 and not 409, which the client would repeat."""
    run_id = triggered(client, "interop-echo", 1)
    client.call("runs.poll", run_id, {"pollIntervalMs": 50})
    with pytest.raises(ClientError) as refused:
        send(client, run_id, "late")
    assert (refused.value.status, refused.value.code) == (400, "run_ended")
    with pytest.raises(ClientError) as refused:
        send(client, run_id, {"$big": 1_000_001})
    assert refused.value.status == 413


def test_items_are_appended_over_http(client: OfficialClient, world: Any) -> None:
    """Code of other languages writes to a run's stream, or to its parent's."""

    run_id = triggered(client, "interop-progress", 1)
    headers = {"authorization": f"Bearer {client.key}"}
    for content in (b'{"n": 1}', b"plain text"):
        url = f"{world.url}/realtime/v1/streams/{run_id}/self/notes/append"
        assert httpx.post(url, content=content, headers=headers).json() == {"ok": True}
    read = client.begin("streams.read", run_id, "notes", take=2)
    assert read.result(25) == [{"n": 1}, "plain text"]
    send(client, run_id, "end")


def test_an_unknown_run_is_refused_to_readers_of_its_streams(client: OfficialClient) -> None:
    """404 ends the reading."""
    with pytest.raises(ClientError) as refused:
        client.call("streams.read", "run_unknown", "words", all=True)
    assert refused.value.status == 404


def test_a_shape_starts_over_for_a_position_that_is_unknown(client: OfficialClient, world: Any) -> None:
    """All rows again, with the headers of a first and of a later answer; never an error."""

    run_id = triggered(client, "interop-echo", 1)
    client.call("runs.poll", run_id, {"pollIntervalMs": 50})
    url, headers = f"{world.url}/realtime/v1/runs/{run_id}", {"authorization": f"Bearer {client.key}"}
    first = httpx.get(url, params={"offset": "-1"}, headers=headers)
    handle = first.headers["electric-handle"]
    for offset in ("junk", "1_1-2_2", f"{'9' * 30}_1", f"{'9' * 20}_0", "1_0"):
        query = {"live": "true", "handle": handle, "offset": offset, "cursor": ""}
        answer = httpx.get(url, params=query, headers=headers, timeout=10)
        assert answer.json()[0]["value"]["status"] == "COMPLETED_SUCCESSFULLY"
        needed = ("handle", "offset", "schema", "cursor", "up-to-date")
        assert all(f"electric-{name}" in answer.headers for name in needed)
    tags = f"{world.url}/realtime/v1/runs?tags=a&createdAt=999999999999999"
    assert httpx.get(tags, headers=headers).status_code == 400
