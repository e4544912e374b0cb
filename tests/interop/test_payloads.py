"""Payloads of the official client arrive as JSON, whatever JavaScript they were."""

from typing import Any

import httpx
import pytest

from tests.interop.official_client import UNDEFINED, ClientError, OfficialClient
from tests.interop.test_realtime import triggered
from tests.support.api_server import ApiServer

pytestmark = pytest.mark.timeout(60)

VALUES: list[tuple[Any, Any]] = [
    ("text", "text"),
    ("", ""),
    ('{"looks": "like json"}', '{"looks": "like json"}'),
    (None, None),
    (UNDEFINED, None),
    (12.5, 12.5),
    (False, False),
    ([], []),
    ({"a": [1, {"b": None}]}, {"a": [1, {"b": None}]}),
    ({"at": {"$date": "2026-01-02T03:04:05.678Z"}}, {"at": "2026-01-02T03:04:05.678Z"}),
    ({"gone": UNDEFINED, "kept": 1, "list": [1, UNDEFINED]}, {"kept": 1, "list": [1, None]}),
    ({"big": {"$bigint": "12345678901234567890"}}, {"big": "12345678901234567890"}),
    ({"set": {"$set": [1, 2]}, "map": {"$map": [["k", 1]]}}, {"set": [1, 2], "map": [["k", 1]]}),
    ({"a.b": UNDEFINED, "c": "ü€😀"}, {"c": "ü€😀"}),
    ({"$date": "2026-01-02T03:04:05.678Z"}, "2026-01-02T03:04:05.678Z"),
]


def test_every_value_arrives_as_its_json(client: OfficialClient) -> None:
    """The task returns what it got, and the client reads that back."""
    ids = [triggered(client, "interop-echo", value) for value, _ in VALUES]
    for run_id, (_, expected) in zip(ids, VALUES, strict=True):
        run = client.call("runs.poll", run_id, {"pollIntervalMs": 30})
        assert run["status"] == "COMPLETED"
        shown = {name: run.get(name) for name in ("payload", "output")}
        assert shown == {"payload": expected, "output": expected}


@pytest.mark.parametrize("payload", [{"$big": 200_000}, {"text": {"$big": 700_000}, "n": 1}])
def test_a_large_payload_is_uploaded_first(client: OfficialClient, payload: Any) -> None:
    """At 128 KB the client asks for a URL, uploads, and triggers with the path."""
    run_id = triggered(client, "interop-echo", payload)
    run = client.call("runs.poll", run_id, {"pollIntervalMs": 50})
    size = len(run["output"]) if isinstance(run["output"], str) else len(run["output"]["text"])
    assert run["status"] == "COMPLETED"
    assert size == next(iter(payload.values() if "$big" in payload else payload["text"].values()))


def test_a_payload_over_the_limit_is_refused(client: OfficialClient) -> None:
    """413 with the reason, not a broken connection."""
    with pytest.raises(ClientError) as refused:
        client.call("tasks.trigger", "interop-echo", {"$big": 3_300_000})
    assert "413" in str(refused.value) or refused.value.status == 413 or "413" in str(refused.value.cause)


def test_the_url_of_an_upload_is_for_one_upload(client: OfficialClient, world: ApiServer) -> None:
    """Signed for one path; a repeat of the same upload is taken, another one is not."""
    headers = {"authorization": f"Bearer {client.key}"}
    asked = httpx.put(f"{world.url}/api/v2/packets/trigger%2Fpacket_1%2Fpayload.json", headers=headers).json()
    url, kind = asked["presignedUrl"], {"content-type": "application/json"}
    assert asked["storagePath"] == "trigger/packet_1/payload.json"
    assert httpx.put(url, content=b"1", headers={"content-type": "image/png"}).status_code == 415
    assert httpx.put(url.replace("packet_1", "packet_2"), content=b"1", headers=kind).status_code == 403
    assert [httpx.put(url, content=b"[1]", headers=kind).status_code for _ in range(2)] == [200, 200]
    assert httpx.put(url, content=b"[2]", headers=kind).status_code == 422
    body = {"payload": asked["storagePath"], "options": {"payloadType": "application/store"}}
    made = httpx.post(f"{world.url}/api/v1/tasks/interop-echo/trigger", json=body, headers=headers).json()
    assert client.call("runs.poll", made["id"], {"pollIntervalMs": 50})["output"] == [1]
    body["payload"] = "trigger/packet_3/payload.json"
    refused = httpx.post(f"{world.url}/api/v1/tasks/interop-echo/trigger", json=body, headers=headers)
    assert (refused.status_code, refused.json()["code"]) == (422, "packet_not_found")


def test_a_payload_that_does_not_fit_names_the_field(client: OfficialClient) -> None:
    """422 at once; the server knows the task."""
    with pytest.raises(ClientError) as refused:
        client.call("tasks.trigger", "interop-greet", {"message": 1})
    assert (refused.value.name, refused.value.status) == ("TriggerApiError", 422)
    assert "message" in refused.value.message


def test_a_task_id_with_a_slash_is_found(client: OfficialClient) -> None:
    """It arrives encoded."""
    run_id = triggered(client, "interop/nested", 1)
    assert client.call("runs.poll", run_id, {"pollIntervalMs": 50})["output"] == 1


def test_an_idempotency_key_gives_the_old_run_until_it_is_reset(client: OfficialClient) -> None:
    """A hit is cached and shows the user's key."""
    made = client.call("idempotencyKeys.create", ["order", "interop-1"])
    first = client.call("tasks.trigger", "interop-echo", 1, {"idempotencyKey": made, "idempotencyKeyTTL": "1h"})
    again = client.call("tasks.trigger", "interop-echo", 2, {"idempotencyKey": made})
    assert (again["id"], first["isCached"], again["isCached"]) == (first["id"], False, True)
    assert "publicAccessToken" in again
    assert client.call("idempotencyKeys.reset", "interop-echo", made)["id"] == made
    third = client.call("tasks.trigger", "interop-echo", 3, {"idempotencyKey": made})
    assert third["id"] != first["id"]
    with pytest.raises(ClientError) as refused:
        client.call("idempotencyKeys.reset", "interop-echo", "0" * 64)
    assert refused.value.status == 404
