"""The webhook task of ``benchmarks.webhooks``. No worker executes its runs."""

from typing import Any

from taskflow import WebhookEvent, webhooks

SECRET = "a secret of the benchmark"


@webhooks.task(id="bench-webhook", source=webhooks.GitHub(secret=SECRET), executor="async")
async def take(event: WebhookEvent[dict[str, Any]]) -> None:
    """Take a delivery."""
