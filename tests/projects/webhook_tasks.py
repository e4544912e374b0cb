"""Webhook tasks for the tests. They write each delivery to the ledger."""

import asyncio
from typing import Any

from pydantic import BaseModel

from taskflow import Context, Retry, WebhookEvent, webhooks
from tests.projects.fleet_tasks import write

FAST = Retry(max_attempts=5, min_delay=0.05, max_delay=0.2)


class Push(BaseModel):
    """The body of a push."""

    number: int
    action: str | None = None


@webhooks.task(id="wh-github", source=webhooks.GitHub(secret=webhooks.env("GITHUB_SECRET")), retry=FAST)
async def on_push(event: WebhookEvent[Push], ctx: Context) -> int:
    """Note a delivery from GitHub."""
    await asyncio.sleep(0.01)
    write("delivery", event.delivery_id, ctx.run.id, event.body.number)
    return event.body.number


@webhooks.task(
    id="wh-stripe",
    source=webhooks.Stripe(secret=webhooks.env("STRIPE_SECRET")),
    events=["invoice.*"],
    executor="async",
)
async def on_invoice(event: WebhookEvent[dict[str, Any]]) -> str:
    """Return the type of an event of Stripe."""
    return event.event_type


@webhooks.task(id="wh-any", source=webhooks.SecretUrl("a secret"))
async def on_anything(event: WebhookEvent[Any]) -> None:
    """Take what anybody sends who knows the address."""
