"""Triggers over HTTP: payloads as the client packs them, options, repeats, refusals."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from taskflow.models import RunStatus
from tests.support.api import Api

ECHO = "/api/v1/tasks/t-echo/trigger"
POINT = "/api/v1/tasks/t-point/trigger"
REQUEST_KEY = "x-trigger-request-idempotency-key"


@pytest.mark.parametrize(
    "body, payload",
    [
        ({"payload": "hi", "options": {"payloadType": "text/plain"}}, "hi"),
        ({"payload": '{"json":{"a":1}}', "options": {"payloadType": "application/super+json"}}, {"a": 1}),
        ({"payload": {"a": [None, 1.5]}}, {"a": [None, 1.5]}),
        ({"payload": "plain", "options": {"payloadType": "application/json"}}, "plain"),
        ({}, None),
    ],
    ids=["text", "superjson", "plain", "plain text", "undefined"],
)
async def test_a_payload_is_read_as_its_type_says(api: Api, body: object, payload: object) -> None:
    """The client packs every value into text first; a caller without it sends JSON."""
    async with api.client() as client:
        answer = await client.post(ECHO, json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json() == {"id": answer.json()["id"], "isCached": False}
    run = await api.flow.engine.runs.aretrieve(answer.json()["id"])
    assert (run.task_id, run.payload, run.status) == ("t-echo", payload, RunStatus.QUEUED)


async def test_every_option_reaches_the_run(api: Api) -> None:
    """As the official client writes them."""
    due = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=2)
    options = {
        "queue": {"name": "t-three"},
        "concurrencyKey": 17,
        "idempotencyKey": "7a" * 32,
        "idempotencyKeyTTL": "1h",
        "idempotencyKeyOptions": {"key": ["order", "1"], "scope": "global"},
        "delay": due.isoformat().replace("+00:00", "Z"),
        "ttl": 7200,
        "tags": ["a", "user:1"],
        "maxAttempts": 2,
        "metadata": {"k": 1},
        "maxDuration": 60,
        "machine": "small-2x",
        "priority": 10,
        "test": True,
        "region": "eu",
    }
    async with api.client() as client:
        first = (await client.post(ECHO, json={"payload": 1, "options": options})).json()
        again = (await client.post(ECHO, json={"payload": 2, "options": options})).json()
    assert again == {"id": first["id"], "isCached": True}
    run = await api.flow.engine.runs.aretrieve(first["id"])
    assert (run.queue, run.concurrency_key, run.idempotency_key) == ("t-three", "17", "order-1")
    assert (run.due_at, run.ttl, run.max_duration) == (due, timedelta(hours=2), timedelta(minutes=1))
    assert (run.tags, run.max_attempts, run.metadata) == (("a", "user:1"), 2, {"k": 1})
    assert (run.machine, run.priority, run.is_test) == ("small-2x", 10.0, True)


async def test_a_request_that_is_sent_again_makes_no_second_run(api: Api) -> None:
    """The client repeats a request whose answer got lost, with the same request key; another call has another key."""
    async with api.client() as client:
        sent = await asyncio.gather(
            *(client.post(ECHO, json={"payload": n}, headers={REQUEST_KEY: "k1"}) for n in range(8))
        )
        other = await client.post(ECHO, json={}, headers={REQUEST_KEY: "k2"})
        elsewhere = await client.post(POINT, json={"payload": {"x": 1, "y": 2}}, headers={REQUEST_KEY: "k1"})
    ids = {answer.json()["id"] for answer in sent}
    assert len(ids) == 1
    assert len({*ids, other.json()["id"], elsewhere.json()["id"]}) == 3
    assert len(await api.flow.engine.runs.alist(20)) == 3


WRONG: list[tuple[str, object, int, str]] = [
    (POINT, {"payload": {"x": "one"}}, 422, "invalid_payload"),
    (ECHO, {"payload": 1, "options": {"delay": "soon"}}, 422, "invalid_option"),
    (ECHO, {"payload": 1, "options": {"machine": "huge"}}, 422, "invalid_option"),
    (ECHO, {"payload": 1, "options": {"tags": [str(n) for n in range(11)]}}, 422, "invalid_option"),
    (ECHO, {"payload": 1, "options": {"concurrency": ["limit"]}}, 422, "invalid_option"),
    (ECHO, {"payload": 1, "options": {"maxAttempts": "2"}}, 400, "invalid_body"),
    (ECHO, {"payload": 1, "options": {"priority": True}}, 400, "invalid_body"),
    (ECHO, {"payload": 1, "options": []}, 400, "invalid_body"),
    (ECHO, {"payload": "x", "options": {"payloadType": "application/super+json"}}, 400, "invalid_body"),
    (ECHO, {"payload": 1, "options": {"payloadType": "text/xml"}}, 400, "invalid_body"),
    (ECHO, [], 400, "invalid_json"),
    (ECHO, {"payload": 1, "options": {"metadata": {"k": "x" * 300_000}}}, 413, "metadata_too_large"),
    ("/api/v1/tasks/ /trigger", {"payload": 1}, 422, "invalid_option"),
]


async def test_a_wrong_request_is_refused_before_anything_is_written(api: Api) -> None:
    """With a code for programs and a text that names the field."""
    async with api.client() as client:
        for path, body, status, code in WRONG:
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (status, code), answer.text
            assert answer.json()["error"]
    assert not await api.flow.engine.runs.alist(1)


async def test_a_payload_sent_without_its_name_is_told_from_a_wrong_one(api: Api) -> None:
    """It is the first mistake of whoever writes the request by hand."""
    async with api.client() as client:
        bare, wrong = await client.post(POINT, json={"x": 1, "y": 2}), await client.post(POINT, json={"payload": {}})
        empty = await client.post(POINT, json={})
    assert (bare.status_code, bare.json()["code"]) == (400, "invalid_body")
    assert (empty.status_code, empty.json()["code"]) == (422, "invalid_payload")
    for answer in (bare, empty):
        assert 'Send {"payload": ...' in answer.json()["remedy"]
    assert "remedy" not in wrong.json()


async def test_values_of_a_payload_are_in_no_refusal(api: Api) -> None:
    """They may be secret."""
    async with api.client() as client:
        answers = [
            await client.post(POINT, json={"payload": {"x": "s3cret", "y": {"s3cret": 1}}}),
            await client.post(ECHO, content=b'{"payload": s3cret'),
            await client.post(ECHO, json={"options": {"maxAttempts": "s3cret", "ttl": ["s3cret"]}}),
        ]
    assert all(answer.status_code in (400, 422) and "s3cret" not in answer.text for answer in answers)


async def test_bodies_have_a_limit_and_are_read_to_their_end(api: Api) -> None:
    """A client that still sends when the connection is closed reads no answer."""
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b'{"payload":"'
        for _ in range(5):
            sent += 1_000_000
            yield b"x" * 1_000_000
        yield b'"}'

    async with api.client() as client:
        answer = await client.post(ECHO, content=body())
    assert (answer.status_code, answer.json()["code"], sent) == (413, "body_too_large", 5_000_000)


async def test_a_task_that_no_worker_knows_is_triggered_all_the_same(api: Api) -> None:
    """The answer does not depend on a worker: the run waits for its version. Ids may hold slashes."""
    async with api.client() as client:
        answer = await client.post("/api/v1/tasks/shop%2Fnew-task/trigger", json={"payload": {"a": 1}})
    run = await api.flow.engine.runs.aretrieve(answer.json()["id"])
    assert (run.task_id, run.status) == ("shop/new-task", RunStatus.PENDING_VERSION)


@pytest.mark.parametrize(
    "method, path, status",
    [("POST", "/api/v1/nothing", 404), ("DELETE", ECHO, 405), ("OPTIONS", ECHO, 405)],
)
async def test_what_the_framework_refuses_is_json_too(api: Api, method: str, path: str, status: int) -> None:
    """A client shows the text of the field `error`."""
    async with api.client() as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["x-should-retry"] == "false"
    assert {"error", "code"} <= answer.json().keys()
    assert status != 405 or answer.headers["allow"] == "POST"


def test_a_body_that_does_not_end_is_given_up(api: Api) -> None:
    """Half a body must not hold a request for ever."""
    app_settings = api.flow.settings
    object.__setattr__(app_settings, "server_body_timeout", timedelta(seconds=0.05))

    async def send() -> httpx.Response:
        async def body() -> AsyncIterator[bytes]:
            yield b'{"payload":'
            await asyncio.sleep(5)

        async with api.client() as client:
            return await client.post(ECHO, content=body())

    assert json.loads(asyncio.run(send()).content)["code"] == "body_timeout"
