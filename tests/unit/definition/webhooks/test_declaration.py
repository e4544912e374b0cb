"""Webhook tasks are checked where they are declared."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel

from taskflow import Context, WebhookEvent, task, webhooks
from taskflow.definition.registry import declared
from taskflow.errors import DefinitionError, UnknownSourceError
from taskflow.seams.webhooks import endpoint_id, is_endpoint_id

pytestmark = pytest.mark.unit


class Body(BaseModel):
    """The body of an event."""

    a: int


@pytest.fixture(autouse=True)
def _isolated() -> Iterator[None]:
    with declared.isolated():
        yield


def take(event: WebhookEvent[Body], ctx: Context) -> int:
    """Take an event."""
    return event.body.a


def test_a_webhook_task_is_a_task_with_a_source() -> None:
    """Options of @task count as there."""
    source = webhooks.GitHub(secret="s")
    made = webhooks.task(id="hook", source=source, events="push", max_body="2KB", queue="hooks", tags="a")(take)
    definition = declared.get("hook")
    assert made.definition is definition
    assert definition.webhook is not None
    assert (definition.webhook.source, definition.webhook.events) == (source, ("push",))
    assert definition.webhook.max_body == 2000
    assert (definition.queue_name, definition.tags) == ("hooks", ("a",))
    assert webhooks.task(source=source)(take).definition.id == "take"


def test_a_misspelt_sender_is_named_with_the_nearest_one() -> None:
    """It is an AttributeError too, so that hasattr says False."""
    misspelt = "Githb"
    with pytest.raises(UnknownSourceError, match="Did you mean 'GitHub'") as raised:
        getattr(webhooks, misspelt)
    assert isinstance(raised.value, AttributeError)
    assert not hasattr(webhooks, "nothing_alike")


@pytest.mark.parametrize("options, remedy", [({}, "webhooks.Stripe"), ({"sorce": 1}, "'source' instead of 'sorce'")])
def test_a_webhook_task_without_a_source_is_refused(options: dict[str, Any], remedy: str) -> None:
    """The error says what to write, and is no TypeError of Python."""
    with pytest.raises(DefinitionError, match=remedy):
        webhooks.task(id="hook", **options)


@pytest.mark.parametrize(
    "given, size", [(5, 5), ("5", None), ("1 MB", 1_000_000), ("25mb", 25_000_000), ("1KiB", 1024), (True, None)]
)
def test_a_limit_of_the_body_is_a_number_or_text(given: Any, size: int | None) -> None:
    """Others are refused with both forms."""
    declare: Any = webhooks.task
    if size is None:
        with pytest.raises(DefinitionError, match="25MB"):
            declare(source=webhooks.GitHub(), max_body=given)(take)
    else:
        declare(source=webhooks.GitHub(), max_body=given, id="sized")(take)
        webhook = declared.get("sized").webhook
        assert webhook is not None
        assert webhook.max_body == size


@pytest.mark.parametrize(
    "options, text",
    [
        ({"source": "stripe"}, "webhooks.Stripe"),
        ({"source": webhooks.GitHub}, "webhooks.Stripe"),
        ({"events": [1]}, "events are texts"),
        ({"events": [""]}, "events are texts"),
        ({"max_body": 0}, "no size of a body"),
        ({"max_body": "1GB"}, "no size of a body"),
        ({"max_body": "200MB"}, "no size of a body"),
        ({"evnts": ["a"]}, "Did you mean 'events'?"),
        ({"retries": 3}, "Unknown option of @webhooks.task"),
    ],
)
def test_a_wrong_option_is_refused_at_import(options: dict[str, Any], text: str) -> None:
    """Nothing is declared, and the message says what to write."""
    declare: Any = webhooks.task
    with pytest.raises(DefinitionError, match=text.replace("?", r"\?")):
        declare(**({"source": webhooks.GitHub(), "id": "wrong"} | options))(take)
    assert "wrong" not in declared


def test_a_function_that_takes_no_event_is_refused_at_import() -> None:
    """No payload, a body instead of the event, and one without an annotation."""

    def nothing() -> None: ...

    def body(payload: Body) -> None: ...

    def bare(payload) -> None: ...  # type: ignore[no-untyped-def]  # pyright: ignore

    def later(event: Any) -> None: ...

    later.__annotations__["event"] = "WebhookEvent[Later]"  # as with TYPE_CHECKING, it cannot be resolved yet
    functions: list[Any] = [nothing, body, bare]
    for function in functions:
        with pytest.raises(DefinitionError, match="does not take a WebhookEvent"):
            webhooks.task(source=webhooks.GitHub())(function)
    assert webhooks.task(source=webhooks.GitHub())(later).definition.id == "later"


def test_a_filter_takes_types_and_patterns() -> None:
    """``*`` stands for any text, also with dots; upper and lower case differ."""
    webhooks.task(id="filtered", source=webhooks.GitHub(), events=["push", "issues.*", "*.deleted"])(take)
    webhook = declared.get("filtered").webhook
    assert webhook is not None
    for types, is_taken in (
        (["push"], True),
        (["push.x", "push"], True),
        (["pushed"], False),
        (["issues.opened", "issues"], True),
        (["issues"], False),
        (["a.b.deleted"], True),
        (["Push"], False),
        ([""], False),
    ):
        assert webhook.takes(types) is is_taken
    webhooks.task(id="all", source=webhooks.GitHub())(take)
    everything = declared.get("all").webhook
    assert everything is not None
    assert everything.takes([""])


def test_an_event_is_a_payload_like_any_other() -> None:
    """It may be made in a test, and triggers validate it."""
    made = webhooks.task(id="called", source=webhooks.GitHub())(take)
    event = {
        "body": {"a": 1},
        "headers": {},
        "event_type": "x",
        "delivery_id": "d",
        "received_at": "2026-01-01T00:00:00Z",
    }
    assert made.definition.payload is not None
    document = made.definition.payload.dump(event)
    loaded = made.definition.payload.load(document)
    assert type(loaded) is WebhookEvent[Body]
    assert made.definition.payload.dump(loaded) == document


def test_a_plain_task_has_no_source() -> None:
    """Only what webhooks.task declares has an address."""

    @task(id="plain-hookless")
    def plain(event: WebhookEvent[Body]) -> None: ...

    assert plain.definition.webhook is None


def test_an_endpoint_follows_from_key_and_task() -> None:
    """32 characters of base 32: 160 bits."""
    one = endpoint_id(b"key", "a")
    assert one == endpoint_id(b"key", "a")
    assert len({one, endpoint_id(b"key", "b"), endpoint_id(b"other", "a")}) == 3
    assert is_endpoint_id(one)
    assert not is_endpoint_id(one[:-1])
