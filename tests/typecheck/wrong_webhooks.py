"""Wrong declarations and calls of webhooks, each with the error that a type checker must report."""
# pyright: reportUnnecessaryTypeIgnoreComment=error

from taskflow import WebhookEvent, webhooks
from tests.typecheck.right_webhooks import Invoice, Push, on_invoice

webhooks.Stripe(secret=5)  # type: ignore[arg-type]  # text
webhooks.Hmac("s")  # type: ignore[call-arg]  # of which header?
webhooks.Hmac("s", header="X", algorithm="md5")  # type: ignore[arg-type]  # broken
webhooks.task()  # type: ignore[call-arg]  # from whom?
webhooks.task(source="github")  # type: ignore[arg-type]  # a source
webhooks.task(source=webhooks.GitHub(), evnts=[])  # type: ignore[call-arg]  # events


@webhooks.task(source=webhooks.GitHub())  # type: ignore[arg-type]  # it takes an event
def takes_no_event(invoice: Invoice) -> None:
    """Take a body where an event comes."""


def trigger(push: WebhookEvent[Push]) -> None:
    """Trigger with the event of another task."""
    on_invoice.trigger(push)  # type: ignore[arg-type]
    on_invoice.trigger(Invoice(id="i"))  # type: ignore[arg-type]
