"""The pages of webhooks."""

import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest

from taskflow import TaskFlow, webhooks
from taskflow.definition.registry import Registry, declared
from tests.conftest import StartFleet
from tests.support.dashboard import Dashboard
from tests.support.servers import RedisServer
from tests.support.webhook_api import Hooks

SECRET = "It's a Secret to Everybody"
HOSTILE = "</td><script>alert(1)</script>"
BODY = json.dumps({"note": HOSTILE}).encode()


@pytest.fixture
def hooks(start_fleet: StartFleet, valkey: RedisServer) -> Iterator[Hooks]:
    """The application of an environment without workers."""
    with declared.isolated():
        yield Hooks(start_fleet(valkey.url))


async def deliver(hooks: Hooks, path: str, event: str = "push", delivery: str = HOSTILE, body: bytes = BODY) -> str:
    """Send a delivery as GitHub does, and return its id."""
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    headers = [
        (b"x-hub-signature-256", f"sha256={signature}".encode()),
        (b"x-github-event", event.encode()),
        (b"x-github-delivery", delivery.encode()),
    ]
    answer = await hooks.send(path, body, headers)
    assert answer.status == 200, answer
    return answer.headers.get("x-taskflow-delivery", "")


async def test_a_delivery_is_seen_with_its_checks_and_replayed(hooks: Hooks) -> None:
    """Neither the secret nor markup of the sender comes to the page."""
    dashboard = Dashboard(hooks.flow)
    operator, viewer = await dashboard.visitor("operator"), await dashboard.visitor("viewer")
    assert "No delivery has come" in (await viewer.get("webhooks/deliveries")).text
    path = hooks.declare("hook-seen", webhooks.GitHub(secret=SECRET), events=["push"])
    delivery = await deliver(hooks, path)
    await deliver(hooks, path)
    listed = (await viewer.get("webhooks/deliveries")).text
    assert "came 2 times" in listed
    assert "/replay" not in listed
    one = (await viewer.get(f"webhooks/deliveries/{delivery}")).text
    for text in (listed, one):
        assert HOSTILE not in text
        assert "&lt;script&gt;" in text
        assert SECRET not in text
    for check in ("Verified as GitHub", "the task takes push", "came 1 time more", "Made: "):
        assert check in one
    assert "x-hub-signature" not in one
    made = await operator.post(f"webhooks/deliveries/{delivery}/replay", htmx=True)
    run_id = made.headers["hx-location"].rpartition("/")[2]
    assert (await webhooks.deliveries.aretrieve(delivery)).replays == (run_id,)
    assert run_id[-8:] in (await operator.get(f"webhooks/deliveries/{delivery}")).text


async def test_a_filtered_delivery_says_so_and_is_not_replayed(hooks: Hooks) -> None:
    """Its body was not kept."""
    dashboard = Dashboard(hooks.flow)
    operator = await dashboard.visitor("operator")
    path = hooks.declare("hook-filtered-page", webhooks.GitHub(secret=SECRET), events=["push"])
    await deliver(hooks, path, "issues")
    delivery = (await webhooks.deliveries.alist(task="hook-filtered-page"))[0].id
    one = (await operator.get(f"webhooks/deliveries/{delivery}")).text
    assert "the event was left out" in one
    assert "/replay" not in one
    assert delivery in (await operator.get("webhooks/deliveries", status="FILTERED")).text
    assert "No delivery matches" in (await operator.get("webhooks/deliveries", status="ACCEPTED")).text
    refused = await operator.post(f"webhooks/deliveries/{delivery}/replay", htmx=True)
    assert refused.status_code == 422
    assert "not kept" in refused.text


async def test_new_deliveries_are_announced_and_move_no_row(hooks: Hooks) -> None:
    """They come when one asks for them."""
    dashboard = Dashboard(hooks.flow)
    viewer, path = await dashboard.visitor("viewer"), hooks.declare("hook-news", webhooks.GitHub(secret=SECRET))
    first = await deliver(hooks, path, delivery="1")
    none = (await viewer.get("webhooks/deliveries", part="span#news", since=first)).text
    assert "new deliver" not in none
    await deliver(hooks, path, delivery="2")
    part = (await viewer.get("webhooks/deliveries", part="span#news", since=first)).text
    assert "1 new delivery" in part
    assert "<table" not in part


async def test_without_webhook_tasks_the_page_says_so(start_fleet: StartFleet, valkey: RedisServer) -> None:
    """The app has a registry of its own, because tests share that of the process."""
    flow = TaskFlow(start_fleet(valkey.url).flow.settings, registry=Registry())
    page = await (await Dashboard(flow).visitor("viewer")).get("webhooks/sources")
    assert "No task takes webhooks" in page.text
    flow.close()


async def test_addresses_are_masked_and_copied_by_operators(hooks: Hooks) -> None:
    """Who has the address of a secret URL can send deliveries."""
    dashboard = Dashboard(hooks.flow)
    viewer, operator = await dashboard.visitor("viewer"), await dashboard.visitor("operator")
    path = hooks.declare("hook-masked", webhooks.GitHub(secret=SECRET))
    hooks.declare("hook-without", webhooks.GitHub(secret=lambda: []))
    seen, own = (await viewer.get("webhooks/sources")).text, (await operator.get("webhooks/sources")).text
    assert path not in seen
    assert path in own
    assert "none: all is refused" in seen
    assert SECRET not in own
