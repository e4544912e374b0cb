"""The webhook task of the fault driver. It notes each delivery in the ledger."""

from typing import Any

from taskflow import Context, WebhookEvent, webhooks
from tests.faults.tasks import FAST, Done, note, noted

SECRET = "a secret of the fault driver"


@webhooks.task(id="f-webhook", source=webhooks.GitHub(secret=SECRET), retry=FAST)
async def take(event: WebhookEvent[Any], ctx: Context) -> Done:
    """Note a delivery."""
    with noted(ctx) as claim:
        note("delivery", ctx, event.delivery_id)
        return Done(claim=claim, attempt=ctx.attempt.number)
