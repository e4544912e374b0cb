"""Deliveries made by hand on the page of tests: signed as the source would, and kept like any other."""

import base64
import json
from collections.abc import Iterator
from typing import Any, cast

import pytest

from taskflow import webhooks
from taskflow.definition.registry import declared
from taskflow.definition.webhooks.source import Source
from tests.conftest import StartFleet
from tests.support.dashboard import Dashboard
from tests.support.servers import RedisServer
from tests.support.webhook_api import Hooks

SECRET = "It's a Secret to Everybody"
STANDARD = f"whsec_{base64.b64encode(b'a' * 24).decode()}"
SOURCES: dict[str, tuple[Source, dict[str, Any]]] = {
    "github": (webhooks.GitHub(secret=SECRET), {"ref": "main"}),
    "stripe": (webhooks.Stripe(secret=SECRET), {"id": "evt_1", "type": "invoice.paid"}),
    "slack": (webhooks.Slack(secret=SECRET), {"type": "event_callback", "event_id": "Ev1", "event": {"type": "push"}}),
    "standard": (webhooks.StandardWebhooks(secret=STANDARD), {"type": "invoice.paid", "data": {}}),
    "gitlab": (webhooks.GitLab(secret=SECRET), {"object_kind": "push"}),
}


def event(body: dict[str, Any], event_type: str = "push") -> str:
    """Return the document of the form."""
    more: dict[str, object] = {"headers": {}, "delivery_id": "x", "received_at": "2027-01-01T00:00:00Z"}
    return json.dumps({"body": body, "event_type": event_type, **more})


@pytest.fixture
def hooks(start_fleet: StartFleet, valkey: RedisServer) -> Iterator[Hooks]:
    """The application of an environment without workers."""
    with declared.isolated():
        yield Hooks(start_fleet(valkey.url))


@pytest.mark.parametrize("name", SOURCES)
async def test_a_delivery_is_signed_verified_and_kept(hooks: Hooks, name: str) -> None:
    """The secret is on no page."""
    dashboard = Dashboard(hooks.flow)
    operator = await dashboard.visitor("operator")
    source, body = SOURCES[name]
    hooks.declare(f"sign-{name}", source)
    page = (await operator.get(f"test/sign-{name}")).text
    assert f'formaction="/{hooks.flow.settings.environment}/signed/sign-{name}"' in page
    made = await operator.post(f"signed/sign-{name}", payload=event(body))
    assert made.status_code == 303, made.text
    run = await hooks.flow.engine.runs.aretrieve(made.headers["location"].rpartition("/")[2])
    [delivery] = await webhooks.deliveries.alist(task=f"sign-{name}")
    assert (delivery.status, delivery.run_id) == ("ACCEPTED", run.id)
    kept = cast("dict[str, Any]", run.payload)["body"]
    assert kept.items() >= body.items()
    for text in (page, (await operator.get(f"webhooks/deliveries/{delivery.id}")).text):
        assert SECRET not in text
        assert STANDARD not in text


async def test_the_filter_of_the_task_holds_for_it_too(hooks: Hooks) -> None:
    """That is one of the things to try."""
    operator = await Dashboard(hooks.flow).visitor("operator")
    hooks.declare("sign-filter", webhooks.GitHub(secret=SECRET), events=["push"])
    answer = await operator.post("signed/sign-filter", payload=event({"a": 1}, "issues"))
    assert "webhooks/deliveries" in answer.headers["location"]
    [delivery] = await webhooks.deliveries.alist(task="sign-filter")
    assert delivery.status == "FILTERED"


@pytest.mark.parametrize(
    "task, payload, status",
    [
        ("sign-bare", event({"a": 1}), 409),
        ("sign-key", event({"a": 1}), 409),
        ("sign-small", event({"a": "x" * 2000}), 413),
        ("sign-small", "{", 422),
        ("sign-small", '{"body": 1}', 422),
        ("sign-none", event({}), 404),
        ("<script>", event({}), 404),
    ],
)
async def test_what_cannot_be_sent_makes_nothing(hooks: Hooks, task: str, payload: str, status: int) -> None:
    """The answer says why, and has nothing of a secret."""
    operator = await Dashboard(hooks.flow).visitor("operator")
    hooks.declare("sign-bare", webhooks.GitHub())
    hooks.declare("sign-key", webhooks.GitHub(secret=_broken))
    hooks.declare("sign-small", webhooks.GitHub(secret=SECRET), max_body="1KB")
    answer = await operator.post(f"signed/{task}", payload=payload)
    assert answer.status_code == status
    assert SECRET not in answer.text
    assert "<script>" not in answer.text.replace('<script src="', "")
    assert not await webhooks.deliveries.alist()
    assert not (await hooks.flow.engine.runs.alist(10)).runs


async def test_a_hidden_value_of_the_run_it_began_with_is_sent_again(
    start_fleet: StartFleet, valkey: RedisServer
) -> None:
    """The form has a mark in its place."""
    with declared.isolated():
        hooks = Hooks(start_fleet(valkey.url, redact="$.body.token"))
        hooks.declare("sign-hidden", webhooks.GitHub(secret=SECRET))
        operator, runs = await Dashboard(hooks.flow).visitor("operator"), hooks.flow.engine.runs
        first = await operator.post("signed/sign-hidden", payload=event({"token": "t0p", "n": 1}))
        begin = first.headers["location"].rpartition("/")[2]
        marked = event({"token": "[redacted:/body/token]", "n": 2})
        assert "t0p" not in (await operator.get("test/sign-hidden", **{"from": begin})).text
        again = await operator.post("signed/sign-hidden", payload=marked, begin=begin)
        assert again.status_code == 303, again.text
        run = await runs.aretrieve(again.headers["location"].rpartition("/")[2])
        assert cast("dict[str, Any]", run.payload)["body"] == {"token": "t0p", "n": 2}


async def test_a_viewer_signs_nothing(hooks: Hooks) -> None:
    """Neither the button nor the action is theirs."""
    viewer = await Dashboard(hooks.flow).visitor("viewer")
    hooks.declare("sign-view", webhooks.GitHub(secret=SECRET))
    assert "Sign it" not in (await viewer.get("test/sign-view")).text
    assert (await viewer.post("signed/sign-view", payload=event({}))).status_code == 403


def _broken() -> str:
    raise RuntimeError(SECRET)
