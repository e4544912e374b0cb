"""The events of a run over HTTP: each status once, also after a lost connection, and while the store is away."""

import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass

import httpx
import pytest

from tests.conftest import MakeServer, StartFleet
from tests.support.api_server import ApiServer
from tests.support.servers import RedisServer
from tests.support.waiting import wait_until

pytestmark = pytest.mark.timeout(60)
TASKS = "tests.projects.interop_tasks"


@dataclass(frozen=True)
class Told:
    """One event."""

    id: str
    kind: str
    data: dict[str, object]


def events_of(server: ApiServer, run_id: str, key: str, *, last: str | None = None, most: int = 1000) -> Iterator[Told]:
    """Yield a run's events until the answer ends, ``most`` at most."""
    headers = {"authorization": f"Bearer {key}", **({"last-event-id": last} if last else {})}
    url, seen = f"{server.url}/api/v1/runs/{run_id}/events", ""
    with httpx.stream("GET", url, headers=headers, timeout=30) as answer:
        assert answer.status_code == 200, answer.read()
        assert answer.headers["content-type"].startswith("text/event-stream")
        fields: dict[str, str] = {}
        for line in answer.iter_lines():
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif fields:
                seen = fields.get("id", seen)
                yield Told(seen, fields["event"], json.loads(fields["data"]))
                fields, most = {}, most - 1
                if not most:
                    return


def statuses(events: list[Told]) -> list[object]:
    """Return the statuses among events."""
    return [event.data["status"] for event in events if event.kind == "status"]


@pytest.fixture
def server(start_fleet: StartFleet, valkey: RedisServer) -> Iterator[ApiServer]:
    """A server and a node of coroutines on the session's store."""
    yield from served(start_fleet, valkey)


def served(start_fleet: StartFleet, store: RedisServer) -> Iterator[ApiServer]:
    """Yield a server with a node."""
    fleet = start_fleet(store.url, is_new=True)
    server = ApiServer(fleet, TASKFLOW_TASKS=TASKS)
    node = fleet.start_node(executor="async", concurrency=20, wait=False, TASKFLOW_TASKS=TASKS)
    server.start()
    fleet.wait_for(node)
    yield server
    server.close()


def trigger(server: ApiServer, key: str, task: str, payload: object) -> str:
    """Make a run and return its id."""
    url = f"{server.url}/api/v1/tasks/{task}/trigger"
    answer = httpx.post(url, json={"payload": payload}, headers={"authorization": f"Bearer {key}"}, timeout=20)
    return str(answer.json()["id"])


def send(server: ApiServer, key: str, run_id: str, item: object) -> None:
    """Send an item to a run."""
    url = f"{server.url}/realtime/v1/streams/{run_id}/input/answers"
    answer = httpx.post(url, json={"data": item}, headers={"authorization": f"Bearer {key}"}, timeout=20)
    assert answer.json() == {"ok": True}


def test_all_events_come_in_order_and_the_answer_ends_with_the_run(server: ApiServer) -> None:
    """Statuses, attempts, metadata and tags; whoever comes later gets the same."""
    key = server.new_key()
    run_id = trigger(server, key, "interop-progress", 1)
    send(server, key, run_id, 1)
    send(server, key, run_id, "end")
    first = list(events_of(server, run_id, key))
    assert statuses(first) == ["QUEUED", "EXECUTING", "COMPLETED"]
    assert {event.kind for event in first} == {"status", "attempt", "metadata", "tags", "stream"}
    attempts = [event.data for event in first if event.kind == "attempt"]
    assert [(attempt["number"], attempt.get("outcome")) for attempt in attempts] == [(1, None), (1, "COMPLETED")]
    metadata = [event.data["metadata"] for event in first if event.kind == "metadata"]
    assert metadata[-1] == {"step": 1}
    assert list(events_of(server, run_id, key)) == first


def test_a_client_that_comes_back_gets_what_it_has_missed(server: ApiServer) -> None:
    """From any event on: exactly the rest. Behind the last one there is nothing, and 204 says so."""
    key = server.new_key()
    run_id = trigger(server, key, "interop-progress", 1)
    (started,) = list(events_of(server, run_id, key, most=1))
    send(server, key, run_id, 1)
    send(server, key, run_id, "end")
    everything = list(events_of(server, run_id, key))
    for index, event in enumerate(everything[:-1]):
        if event.kind != "attempt":  # it has no id of its own
            rest = list(events_of(server, run_id, key, last=event.id))
            told = [(each.kind, each.data) for each in everything[index + 1 :]]
            assert [(each.kind, each.data) for each in rest] == told
    url, headers = f"{server.url}/api/v1/runs/{run_id}/events", {"authorization": f"Bearer {key}"}
    assert httpx.get(url, headers={**headers, "last-event-id": everything[-1].id}).status_code == 204
    assert httpx.get(url, headers={**headers, "last-event-id": "yesterday"}).status_code == 400
    assert httpx.get(url.replace(run_id, "run_unknown"), headers=headers).status_code == 404
    assert started == everything[0]


def test_no_status_is_missed_while_the_store_is_away(start_fleet: StartFleet, start_valkey: MakeServer) -> None:
    """The answer goes on, and says all that has happened when the store is back."""
    store = start_valkey(appendfsync="always")
    serving = served(start_fleet, store)
    server = next(serving)
    key = server.new_key()
    run_id = trigger(server, key, "interop-progress", 1)
    seen: list[Told] = []
    reader = threading.Thread(target=lambda: seen.extend(events_of(server, run_id, key)))
    reader.start()
    wait_until(lambda: seen, "the first events")
    store.kill()
    time.sleep(3)  # an outage that is longer than most pauses
    store.start()
    wait_until(lambda: _sent(server, key, run_id), "the server to take an item again", timeout=20)
    send(server, key, run_id, "end")
    reader.join(30)
    assert not reader.is_alive()
    kinds = statuses(seen)
    assert kinds[0] == "QUEUED"
    assert kinds[-1] == "COMPLETED"
    assert "EXECUTING" in kinds
    assert kinds.count("COMPLETED") == 1
    assert list(serving) == []


def _sent(server: ApiServer, key: str, run_id: str) -> bool:
    try:
        send(server, key, run_id, 1)
    except (AssertionError, httpx.HTTPError, KeyError, ValueError):
        return False
    return True


def test_a_stream_goes_on_at_a_server_that_starts_again(server: ApiServer) -> None:
    """A server that stops cuts its streams, so that clients come back: a clean end would say that nothing follows."""
    key = server.new_key()
    run_id = trigger(server, key, "interop-progress", 1)
    following = events_of(server, run_id, key)
    while next(following).data.get("status") != "EXECUTING":
        pass
    began = time.monotonic()
    assert server.stop() in (0, -15)
    assert time.monotonic() - began < 10
    with pytest.raises(httpx.RemoteProtocolError):
        list(following)
    assert [line for line in server.log.read_text().splitlines() if "Traceback" in line or " ERROR " in line] == []
    server.start()
    send(server, key, run_id, "end")
    assert statuses(list(events_of(server, run_id, key))) == ["QUEUED", "EXECUTING", "COMPLETED"]
