"""Webhook tasks as they are meant to be written: type-checked, never executed."""

from collections.abc import Sequence
from typing import Any, TypedDict, assert_type

from pydantic import BaseModel

from taskflow import Context, Delivery, DeliveryPage, RunHandle, WebhookEndpoint, WebhookEvent, webhooks


class Invoice(BaseModel):
    """The body of an event."""

    id: str


class Push(TypedDict):
    """The body of another event."""

    ref: str


@webhooks.task(id="typed-invoices", source=webhooks.Stripe(secret=webhooks.env("STRIPE")), events=["invoice.paid"])
def on_invoice(event: WebhookEvent[Invoice], ctx: Context) -> str:
    """Take a model."""
    assert_type(event.body, Invoice)
    assert_type(event.headers, dict[str, str])
    return f"{event.body.id} {ctx.run.id}"


@webhooks.task(source=webhooks.GitHub(secret=["new", "old"]), max_body="25MB", queue="pushes", max_duration="5m")
async def on_push(event: WebhookEvent[Push]) -> int:
    """Take a dict with known keys, in a coroutine."""
    return len(event.body["ref"])


def read_secrets() -> Sequence[str]:
    """Return secrets from a vault."""
    return ["a"]


@webhooks.task(source=webhooks.Hmac(read_secrets, header="X-Signature"))
def on_anything(event: WebhookEvent[dict[str, Any]]) -> None:
    """Take any JSON object."""


def trigger_by_hand(event: WebhookEvent[Invoice]) -> None:
    """A webhook task is triggered as any other."""
    assert_type(on_invoice.trigger(event), RunHandle[str])
    assert_type(on_invoice.trigger(event).result(), str)


async def find() -> None:
    """Deliveries have types, too."""
    assert_type(webhooks.deliveries.list(task="typed-invoices", status="ACCEPTED"), DeliveryPage)
    assert_type(await webhooks.deliveries.aretrieve("delivery_1"), Delivery)
    assert_type(webhooks.deliveries.replay("delivery_1"), RunHandle[object])
    assert_type(webhooks.endpoints(), Sequence[WebhookEndpoint])
