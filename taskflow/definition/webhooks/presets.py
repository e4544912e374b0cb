"""Sources with one fixed scheme: Stripe, GitHub, Slack, Shopify, Linear and Discord."""

from typing import Final

from taskflow.definition.webhooks.challenge import Challenge
from taskflow.definition.webhooks.scheme import TOLERANCE, Scheme, tolerance_of
from taskflow.definition.webhooks.secrets import Secret
from taskflow.definition.webhooks.signatures import require_cryptography
from taskflow.definition.webhooks.signed import Signed
from taskflow.definition.webhooks.source import Reading
from taskflow.definition.webhooks.template import SigningTemplate
from taskflow.durations import Duration

_LINEAR_TOLERANCE: Final = 60.0


class Stripe(Signed):
    """Stripe. The event's type is its ``type``, the id its ``id``.

    Args:
        secret: The endpoint's signing secret, ``whsec_...``; two while it is rolled.
        tolerance: How far the timestamp may be from now, both ways.
    """

    def __init__(self, secret: Secret = None, *, tolerance: Duration = TOLERANCE) -> None:
        scheme = Scheme(
            "Stripe-Signature",
            prefix="v1=",
            separator=",",
            signed=SigningTemplate("{timestamp}.{body}"),
            timestamp_item="t=",
            tolerance=tolerance_of(tolerance),
        )
        super().__init__(secret, scheme, Reading(id_field="id", event_fields=("type",)))


class GitHub(Signed):
    """GitHub. The event's type is the event with its action: ``issues.opened``, ``push``. It signs no timestamp.

    Args:
        secret: The webhook's secret.
    """

    def __init__(self, secret: Secret = None) -> None:
        reading = Reading(
            id_headers=("X-GitHub-Delivery",),
            event_header="X-GitHub-Event",
            action_field="action",
            form_field="payload",
            kept=("X-GitHub-",),
        )
        super().__init__(secret, Scheme("X-Hub-Signature-256", prefix="sha256="), reading)


class Slack(Signed):
    """Slack: events, interactions and slash commands. Answers the challenge of a new address.

    The event's type is that of the inner event, for example ``app_mention``; of other requests their ``type`` or
    command.

    Args:
        secret: The app's signing secret.
        tolerance: How far the timestamp may be from now, both ways.
    """

    def __init__(self, secret: Secret = None, *, tolerance: Duration = TOLERANCE) -> None:
        scheme = Scheme(
            "X-Slack-Signature",
            prefix="v0=",
            signed=SigningTemplate("v0:{timestamp}:{body}"),
            timestamp_header="X-Slack-Request-Timestamp",
            tolerance=tolerance_of(tolerance),
        )
        reading = Reading(
            id_field="event_id",
            event_fields=("event.type", "type", "command"),
            form_field="payload",
            kept=("X-Slack-",),
            challenge=Challenge("type", "url_verification", "{challenge}"),
        )
        super().__init__(secret, scheme, reading)


class Shopify(Signed):
    """Shopify. The event's type is its topic, for example ``orders/create``. It signs no timestamp.

    Args:
        secret: The app's client secret. A new one takes up to an hour to be used: name both.
    """

    def __init__(self, secret: Secret = None) -> None:
        reading = Reading(id_headers=("X-Shopify-Webhook-Id",), event_header="X-Shopify-Topic", kept=("X-Shopify-",))
        super().__init__(secret, Scheme("X-Shopify-Hmac-Sha256", encoding="base64"), reading)


class Linear(Signed):
    """Linear. The event's type is the entity with its action, for example ``Issue.create``.

    Args:
        secret: The webhook's signing secret.
        tolerance: How far the body's ``webhookTimestamp`` may be from now, both ways.
    """

    def __init__(self, secret: Secret = None, *, tolerance: Duration = _LINEAR_TOLERANCE) -> None:
        scheme = Scheme(
            "Linear-Signature", timestamp_field="webhookTimestamp", unit="ms", tolerance=tolerance_of(tolerance)
        )
        reading = Reading(
            id_headers=("Linear-Delivery",),
            event_header="Linear-Event",
            action_field="action",
            event_fields=("type",),
            kept=("Linear-",),
        )
        super().__init__(secret, scheme, reading)


class Discord(Signed):
    """Discord: interactions and webhook events, with its PING answered. Needs the package ``cryptography``.

    Args:
        key: The application's public key, in hex.
        tolerance: How far the timestamp may be from now, both ways.
    """

    def __init__(self, key: Secret = None, *, tolerance: Duration = TOLERANCE) -> None:
        require_cryptography("A webhook of Discord")
        scheme = Scheme(
            "X-Signature-Ed25519",
            "ed25519",
            signed=SigningTemplate("{timestamp}{body}"),
            key_encoding="hex",
            timestamp_header="X-Signature-Timestamp",
            tolerance=tolerance_of(tolerance),
        )
        reading = Reading(
            id_field="id",
            event_fields=("event.type", "type"),
            kept=("X-Signature-Timestamp",),
            challenge=Challenge("type", 1, {"type": 1}),
        )
        super().__init__(key, scheme, reading)
