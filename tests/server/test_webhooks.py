"""The ingress of webhooks, end to end in this process: the real application on a real store."""

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import pytest
from pydantic import BaseModel

from taskflow import (
    Delivery,
    DeliveryNotFoundError,
    DeliveryQueryError,
    DeliveryStatus,
    RunFilter,
    WebhookBodyError,
    WebhookEvent,
    runs,
    webhooks,
)
from taskflow.definition.registry import declared
from taskflow.server.webhooks import ingress
from tests.conftest import StartFleet
from tests.support.servers import RedisServer
from tests.support.webhook_api import Answered, Hooks
from tests.support.webhook_senders import attacks, body_of, headers_of, source_of, vectors

NOW = 1_700_000_000
SECRET = "It's a Secret to Everybody"


@pytest.fixture
def hooks(start_fleet: StartFleet, valkey: RedisServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hooks]:
    """The application of an environment without workers, at a fixed time."""
    monkeypatch.setattr(ingress, "clock", lambda: float(NOW))
    with declared.isolated():
        yield Hooks(start_fleet(valkey.url))


def signed(body: bytes, event: str = "push", delivery: str = "d1", secret: str = SECRET) -> list[tuple[bytes, bytes]]:
    """Return the headers that GitHub sends with a body."""
    signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return [
        (b"x-hub-signature-256", f"sha256={signature}".encode()),
        (b"x-github-event", event.encode()),
        (b"x-github-delivery", delivery.encode()),
        (b"authorization", b"Bearer hidden"),
    ]


async def deliver(hooks: Hooks, path: str, body: object, delivery: str = "d1", event: str = "push") -> Answered:
    """Send a delivery as GitHub does."""
    document = json.dumps(body).encode()
    return await hooks.send(path, document, signed(document, event, delivery))


def _returning(text: str) -> Callable[[object], str]:
    return lambda _: text


async def payload_of(run_id: str) -> dict[str, Any]:
    """Return the payload of a run."""
    return cast("dict[str, Any]", (await runs.aretrieve(run_id)).payload)


async def stored(task_id: str) -> tuple[int, int]:
    """Return how many deliveries and runs a task has."""
    page = await webhooks.deliveries.alist(task=task_id)
    return len(page), len(await runs.alist(1000, where=RunFilter(task=task_id)))


async def test_each_attack_gets_its_status_and_leaves_nothing(hooks: Hooks) -> None:
    """The vectors say which. A delivery that came before leaves nothing more."""
    wrong: list[object] = []
    for number, attack in enumerate(attacks()):
        if "secrets" not in attack:
            continue  # those of HTTP itself: below
        task_id = f"hook-attack-{number}"
        path = hooks.declare(task_id, source_of(attack))
        if "after" in attack:
            first = next(each for each in attacks() if each["name"] == attack["after"])
            assert (await hooks.send(path, body_of(first), headers_of(first))).status == 200
        before = await stored(task_id)
        answer = await hooks.send(path, body_of(attack), headers_of(attack))
        after = await stored(task_id)
        expected = (before[0] + attack["stored"], before[1] + attack["stored"])
        if (answer.status, after) != (attack["status"], expected):
            wrong.append((attack["name"], answer, after, expected))
    assert not wrong


async def test_a_verified_vector_makes_one_run(hooks: Hooks, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each sender's own form of body, type and id; a challenge is answered instead."""
    for number, vector in enumerate(vectors()):
        task_id = f"hook-vector-{number}"
        path = hooks.declare(task_id, source_of(vector))
        if "url" in vector:
            monkeypatch.setattr(ingress, "_url", _returning(vector["url"]))
        monkeypatch.setattr(ingress, "clock", lambda at=vector["now"] or NOW: float(at))
        answer = await hooks.send(path, body_of(vector), headers_of(vector))
        reply = vector.get("reply")
        is_json = vector["body"][:1] in "{[" or b"x-twilio-signature" in dict(headers_of(vector))
        assert answer.status == (200 if is_json else 400), vector
        assert await stored(task_id) == ((1, 1) if is_json and not reply else (0, 0))
        if reply:
            assert (answer.body.decode(), answer.headers["content-type"]) == (reply["body"], reply["content_type"])


async def test_http_itself_is_refused_before_anything_is_read(hooks: Hooks) -> None:
    """Size, encoding, method and address, each with its status. An unknown address tells nothing."""
    path = hooks.declare("hook-http", webhooks.GitHub(secret=SECRET), max_body=100)
    large = b'"' + b"x" * 99 + b'"'
    assert (await hooks.send(path, large, signed(large))).status == 413
    assert (await hooks.send(path, headers=signed(large), chunks=[large[:50], large[50:]])).status == 413
    assert (await hooks.send(path, b"{}", [*signed(b"{}"), (b"content-encoding", b"gzip")])).status == 415
    for method in ("GET", "PUT", "DELETE", "PATCH"):
        refused = await hooks.send(path, method=method)
        assert (refused.status, "POST" in refused.headers["allow"]) == (405, True)
    for unknown in ("/webhooks/x", f"{path}/", f"{path}/x", f"{path[:-1]}2" if path[-1] != "2" else f"{path[:-1]}3"):
        assert (await hooks.send(unknown, b"{}", signed(b"{}"))).status == 404
    fits = b'"' + b"x" * 98 + b'"'
    assert (await hooks.send(path, fits, signed(fits))).status == 200
    assert await stored("hook-http") == (1, 1)


async def test_a_body_that_does_not_come_is_given_up(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """A sender cannot hold a connection for ever."""
    with declared.isolated():
        hooks = Hooks(start_fleet(valkey.url, server_body_timeout=0.2))
        path = hooks.declare("hook-slow", webhooks.GitHub(secret=SECRET))
        began = time.monotonic()
        assert (await hooks.send(path, headers=signed(b"{}"), chunks=[b"{"], hangs=True)).status == 408
        assert time.monotonic() - began < 10


async def test_a_delivery_is_typed_and_its_headers_are_chosen(hooks: Hooks) -> None:
    """The run gets the body as its model, the type with the action, and no header that proves the sender."""

    class Push(BaseModel):
        action: str
        number: int

    def take(event: WebhookEvent[Push]) -> int:
        return event.body.number

    take.__annotations__["event"] = WebhookEvent[Push]
    webhooks.task(id="hook-typed", source=webhooks.GitHub(secret=SECRET))(take)
    answer = await deliver(hooks, hooks.path("hook-typed"), {"action": "opened", "number": 7}, event="issues")
    assert await payload_of(answer.headers["x-taskflow-run"]) == {
        "body": {"action": "opened", "number": 7},
        "event_type": "issues.opened",
        "delivery_id": "d1",
        "headers": {"x-github-event": "issues", "x-github-delivery": "d1"},
        "received_at": "2023-11-14T22:13:20Z",
    }
    misfit = await deliver(hooks, hooks.path("hook-typed"), {"action": "opened", "number": "x"}, "d2")
    assert misfit.status == 400
    assert await stored("hook-typed") == (1, 1)


async def test_only_the_events_of_the_filter_make_runs(hooks: Hooks) -> None:
    """Others are answered 200, so that the sender does not send them again, and leave a record without a body."""
    path = hooks.declare("hook-filtered", webhooks.GitHub(secret=SECRET), events=["issues", "pull_request.o*"])
    for number, (event, action) in enumerate(
        [("issues", "opened"), ("pull_request", "opened"), ("pull_request", "closed"), ("push", None)]
    ):
        body = {"action": action} if action else {}
        answer = await deliver(hooks, path, body, f"d{number}", event)
        assert (answer.status, answer.headers["x-taskflow-status"]) == (200, "accepted" if number < 2 else "filtered")
    page = await webhooks.deliveries.alist(task="hook-filtered", status="FILTERED")
    assert [each.event_type for each in page] == ["push", "pull_request.closed"]
    assert {each.run_id for each in page} == {None}
    assert await stored("hook-filtered") == (4, 2)
    filtered = await webhooks.deliveries.aretrieve(page[0].id)
    assert filtered.body is None
    with pytest.raises(WebhookBodyError, match="filter"):
        await webhooks.deliveries.areplay(page[0].id)


async def test_a_filtered_delivery_counts_when_the_filter_changes(hooks: Hooks) -> None:
    """Its id is remembered only when its run was made."""
    source = webhooks.GitHub(secret=SECRET)
    path = hooks.declare("hook-refiltered", source, events=["issues"])
    assert (await deliver(hooks, path, {})).headers["x-taskflow-status"] == "filtered"
    hooks.declare("hook-refiltered", source)
    assert (await deliver(hooks, path, {})).headers["x-taskflow-status"] == "accepted"


async def test_many_copies_at_once_make_one_run(hooks: Hooks) -> None:
    """Senders repeat what they think is lost, while the first one is still being kept."""
    path = hooks.declare("hook-copies", webhooks.GitHub(secret=SECRET))
    answers = await asyncio.gather(*(deliver(hooks, path, {"a": 1}, "same") for _ in range(20)))
    assert {each.status for each in answers} == {200}
    assert sorted(each.headers["x-taskflow-status"] for each in answers) == ["accepted"] + ["duplicate"] * 19
    assert len({each.headers["x-taskflow-run"] for each in answers}) == 1
    assert await stored("hook-copies") == (1, 1)
    [delivery] = await webhooks.deliveries.alist(task="hook-copies")
    assert delivery.duplicates == 19


async def test_a_delivery_is_shown_and_replayed(hooks: Hooks) -> None:
    """A replay is another run of the same event, named in the record."""
    path = hooks.declare("hook-replayed", webhooks.GitHub(secret=SECRET))
    answer = await deliver(hooks, path, {"a": [1, "é"]})
    delivery = await webhooks.deliveries.aretrieve(answer.headers["x-taskflow-delivery"])
    raw = json.dumps({"a": [1, "é"]})
    assert delivery == Delivery(
        id=delivery.id,
        task_id="hook-replayed",
        source="GitHub",
        status=DeliveryStatus.ACCEPTED,
        event_type="push",
        delivery_id="d1",
        received_at=delivery.received_at,
        run_id=answer.headers["x-taskflow-run"],
        headers={"x-github-event": "push", "x-github-delivery": "d1"},
        size=len(raw),
        digest=hashlib.sha256(raw.encode()).hexdigest(),
        body=raw,
    )
    again = await webhooks.deliveries.areplay(delivery.id)
    replayed = await asyncio.to_thread(webhooks.deliveries.retrieve, delivery.id)
    assert replayed.replays == (again.id,)
    assert (await payload_of(again.id))["body"] == (await payload_of(delivery.run_id or ""))["body"]
    assert (await runs.aretrieve(again.id)).replay_of == delivery.run_id
    [listed] = await asyncio.to_thread(webhooks.deliveries.list)
    assert (listed.body, listed.replays) == (None, (again.id,))
    second = await asyncio.to_thread(webhooks.deliveries.replay, delivery.id)
    assert (await webhooks.deliveries.aretrieve(delivery.id)).replays == (again.id, second.id)


async def test_deliveries_come_in_pages(hooks: Hooks) -> None:
    """Newest first, each once."""
    path = hooks.declare("hook-paged", webhooks.GitHub(secret=SECRET))
    for number in range(7):
        await deliver(hooks, path, {}, f"d{number}")
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = await webhooks.deliveries.alist(limit=3, cursor=cursor)
        seen += [each.delivery_id for each in page]
        cursor = page.cursor
        if cursor is None:
            break
    assert seen == [f"d{number}" for number in range(6, -1, -1)]
    for unknown in ("delivery_00" + "0" * 31, "other", "delivery_ff" + "0" * 31):
        with pytest.raises(DeliveryNotFoundError):
            await webhooks.deliveries.aretrieve(unknown)
    lists: Any = webhooks.deliveries.alist
    for wrong in ({"limit": 0}, {"status": "NEW"}, {"cursor": "x"}, {"task": ""}, {"limit": True}):
        with pytest.raises(DeliveryQueryError):
            await lists(**wrong)


async def test_a_body_larger_than_a_record_goes_to_the_object_store(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """GitHub sends up to 25 MB. The payload limit of triggers does not count; a replay takes the run's payload."""
    with declared.isolated():
        hooks = Hooks(start_fleet(valkey.url, payload_limit=1000, inline_limit=500))
        path = hooks.declare("hook-large", webhooks.GitHub(secret=SECRET), max_body="25MB")
        answer = await deliver(hooks, path, {"text": "x" * 2000})
        assert answer.status == 200
        delivery = await webhooks.deliveries.aretrieve(answer.headers["x-taskflow-delivery"])
        assert (delivery.body, delivery.size) == (None, 2012)
        again = await webhooks.deliveries.areplay(delivery.id)
        assert (await payload_of(again.id))["body"] == {"text": "x" * 2000}
        assert (await deliver(hooks, path, {"text": "z" * 300_000}, "d3")).status == 200  # verified in a thread
        unsigned = json.dumps({"text": "z" * 300_000}).encode()
        assert (await hooks.send(path, unsigned, signed(b"other"))).status == 401
        copies = await asyncio.gather(*(deliver(hooks, path, {"text": "y" * 2000}, "d2") for _ in range(3)))
        assert sorted(each.headers["x-taskflow-status"] for each in copies) == ["accepted", "duplicate", "duplicate"]


async def test_records_and_ids_expire(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Each key of a delivery has the life of its setting."""
    with declared.isolated():
        fleet = start_fleet(valkey.url, webhook_dedupe="1h", webhook_retention="2h")
        hooks = Hooks(fleet)
        path = hooks.declare("hook-expiring", webhooks.GitHub(secret=SECRET))
        await deliver(hooks, path, {})
        client: Any = valkey.client()
        left = {
            key.split("}:")[1].split(":")[0]: client.ttl(key)
            for key in client.scan_iter(match=f"{{tf:{fleet.environment}:0}}:deliver*")
        }
        client.close()
        assert left.keys() == {"delivery", "delivery_key", "deliveries"}
        assert 3500 < left["delivery_key"] <= 3600
        assert 7100 < left["delivery"] <= 7200
        assert 7100 < left["deliveries"] <= 7200


async def test_a_sender_is_asked_to_come_again_while_the_store_is_away(
    start_fleet: StartFleet, valkey: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    """503 with Retry-After; nothing of the delivery is in the log."""
    with declared.isolated():
        hooks = Hooks(start_fleet(valkey.url, connect_timeout=0.3))
        path = hooks.declare("hook-away", webhooks.GitHub(secret=SECRET))
        hooks.flow.engine.webhooks.endpoints()
        client = valkey.client()
        client.execute_command("CLIENT", "PAUSE", "1500", "ALL")
        answer = await deliver(hooks, path, {"card": "4242"})
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        assert "4242" not in caplog.text
        client.close()


async def test_secrets_are_rotated_without_a_restart(hooks: Hooks) -> None:
    """A function is called at each delivery, in a thread of its own."""
    valid, threads = [SECRET], set[int]()

    def secrets() -> Sequence[str]:
        threads.add(threading.get_ident())
        return list(valid)

    path = hooks.declare("hook-rotated", webhooks.GitHub(secret=secrets))

    threads.clear()  # the list of endpoints has asked for them, too

    async def status(secret: str, delivery: str) -> int:
        return (await hooks.send(path, b"{}", signed(b"{}", "push", delivery, secret))).status

    assert await status(SECRET, "a") == 200
    assert await status("new", "b") == 401
    valid[:] = ["new", SECRET]
    assert [await status("new", "c"), await status(SECRET, "d")] == [200, 200]
    valid[:] = ["new"]
    assert [await status("new", "e"), await status(SECRET, "f")] == [200, 401]
    assert threading.get_ident() not in threads


async def test_a_secret_that_cannot_be_read_is_an_outage(hooks: Hooks, caplog: pytest.LogCaptureFixture) -> None:
    """The sender comes again; the text of the error, which may have the secret, is not logged."""

    def secrets() -> str:
        raise RuntimeError("vault said no to hush-hush")

    path = hooks.declare("hook-vault", webhooks.GitHub(secret=secrets))
    answer = await deliver(hooks, path, {})
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert "RuntimeError" in caplog.text
    assert "hush" not in caplog.text + answer.body.decode()


async def test_settings_have_the_secrets_of_tasks_without_one(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """One, or several, by task id."""
    with declared.isolated():
        hooks = Hooks(start_fleet(valkey.url, webhook_secrets={"hook-one": SECRET, "hook-two": ["other", SECRET]}))
        for task_id, status in (("hook-one", 200), ("hook-two", 200), ("hook-none", 401)):
            path = hooks.declare(task_id, webhooks.GitHub())
            assert (await deliver(hooks, path, {})).status == status
        usable = {each.task: each.secrets for each in webhooks.endpoints() if each.task.startswith("hook-")}
        assert usable == {"hook-none": 0, "hook-one": 1, "hook-two": 2}
        assert SECRET not in repr(hooks.flow.settings)


async def test_a_refusal_tells_the_owner_why_and_the_sender_nothing(
    hooks: Hooks, caplog: pytest.LogCaptureFixture
) -> None:
    """One text for all reasons; no secret, signature or value of the body in the log."""
    caplog.set_level(logging.INFO, "taskflow")
    path = hooks.declare("hook-refused", webhooks.GitHub(secret=SECRET))
    body = b'{"card": "4242"}'
    answers = [
        await hooks.send(path, body),
        await hooks.send(path, body, signed(b"other")),
        await hooks.send(path, body, [*signed(body), (b"x-hub-signature-256", b"sha256=00")]),
    ]
    assert {each.status for each in answers} == {401}
    assert len({each.body for each in answers}) == 1
    for reason in ("is absent", "no signature matches", "occurs 2 times"):
        assert reason in caplog.text
    signature = signed(b"other")[0][1].decode()
    assert not [text for text in (SECRET, signature, "4242", "hidden") if text in caplog.text]


async def test_a_subscription_is_answered_by_get(hooks: Hooks) -> None:
    """As Meta asks for it; a wrong token is refused."""
    source = webhooks.Hmac(
        "s", header="X-Hub-Signature-256", prefix="sha256=", subscription=webhooks.Subscription("the-token")
    )
    path = hooks.declare("hook-subscribed", source)
    query = "hub.mode=subscribe&hub.challenge=1158&hub.verify_token="
    right = await hooks.send(path, method="GET", query=f"{query}the-token")
    assert (right.status, right.body) == (200, b"1158")
    assert (await hooks.send(path, method="GET", query=f"{query}other")).status == 401
    assert await stored("hook-subscribed") == (0, 0)


async def test_an_address_is_stable_and_cannot_be_guessed(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """It follows from the secret of the servers, the environment and the task."""
    with declared.isolated():
        key = "0123456789abcdef-1"
        one, other, third = (
            Hooks(start_fleet(valkey.url, secret_key=key)),
            Hooks(start_fleet(valkey.url, secret_key=key)),
            Hooks(start_fleet(valkey.url, secret_key=f"{key}x")),
        )
        path = one.declare("hook-stable", webhooks.GitHub(secret=SECRET))
        assert path == one.path("hook-stable")
        assert len(path) == len("/webhooks/") + 32
        assert "hook-stable" not in path
        assert other.path("hook-stable") != path  # another environment
        assert third.path("hook-stable") not in (path, other.path("hook-stable"))


async def test_the_public_address_is_what_twilio_signs(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """Behind a proxy the request's own address is another one."""
    with declared.isolated():
        hooks = Hooks(start_fleet(valkey.url, public_url="https://hooks.example.org/tf"))
        source = webhooks.Twilio("token")
        path = hooks.declare("hook-twilio", source)
        [endpoint] = [each for each in webhooks.endpoints() if each.task == "hook-twilio"]
        assert endpoint.url == f"https://hooks.example.org/tf{path}"
        message = f"https://hooks.example.org/tf{path}?a=bFrom+1"
        signature = hmac.new(b"token", message.encode(), hashlib.sha1).digest()
        headers = [
            (b"x-twilio-signature", base64.b64encode(signature)),
            (b"content-type", b"application/x-www-form-urlencoded"),
        ]
        assert (await hooks.send(path, b"From=%2B1", headers, query="a=b")).status == 200
        assert (await hooks.send(path, b"From=%2B2", headers, query="a=b")).status == 401


async def test_a_delivery_is_one_round_trip(hooks: Hooks, valkey: RedisServer) -> None:
    """Once the server is warm."""
    path = hooks.declare("hook-once", webhooks.GitHub(secret=SECRET))
    await hooks.flow.engine.webhooks.awarm()
    client = valkey.client()

    def calls() -> int:
        found = client.info("commandstats")
        return sum(int(each["calls"]) for name, each in found.items() if name.startswith("cmdstat_fcall"))

    assert (await deliver(hooks, path, {}, "d0")).status == 200  # the server may not have had the script
    before = calls()
    for number in range(1, 4):
        assert (await deliver(hooks, path, {}, f"d{number}")).status == 200
    spent = calls() - before
    client.close()
    assert spent == 3
    assert await stored("hook-once") == (4, 4)


def test_wrong_use_writes_nothing(hooks: Hooks) -> None:
    """Blocking verbs name their twins where an event loop runs; outside they work."""
    assert not webhooks.deliveries.list()
    with pytest.raises(DeliveryNotFoundError):
        webhooks.deliveries.replay("delivery_00" + "0" * 31)
    unknown: Any = 5
    with pytest.raises(DeliveryNotFoundError):
        webhooks.deliveries.retrieve(unknown)
