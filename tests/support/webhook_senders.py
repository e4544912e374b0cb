"""The sources of the webhook vectors, by their names there, and their requests."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from taskflow.definition.webhooks.challenge import Challenge, Subscription
from taskflow.definition.webhooks.presets import Discord, GitHub, Linear, Shopify, Slack, Stripe
from taskflow.definition.webhooks.request import WebhookRequest
from taskflow.definition.webhooks.secrets import Secret
from taskflow.definition.webhooks.shared import GitLab
from taskflow.definition.webhooks.signed import Hmac, PublicKey
from taskflow.definition.webhooks.source import Source
from taskflow.definition.webhooks.standard import StandardWebhooks
from taskflow.definition.webhooks.twilio import Twilio

_VECTORS: Final = Path(__file__).parents[1] / "vectors"


def _zoom(secret: Secret) -> Source:
    answer = {"plainToken": "{payload.plainToken}", "encryptedToken": "{hmac:payload.plainToken}"}
    return Hmac(
        secret,
        header="x-zm-signature",
        prefix="v0=",
        signed="v0:{timestamp}:{body}",
        timestamp_header="x-zm-request-timestamp",
        event_field="event",
        challenge=Challenge("event", "endpoint.url_validation", answer),
    )


def _paddle(secret: Secret) -> Source:
    return Hmac(
        secret,
        header="Paddle-Signature",
        prefix="h1=",
        separator=";",
        signed="{timestamp}:{body}",
        timestamp_item="ts=",
        event_field="event_type",
        id_field="event_id",
    )


def _meta(secret: Secret) -> Source:
    return Hmac(secret, header="X-Hub-Signature-256", prefix="sha256=", subscription=Subscription("the token"))


def _hubspot(secret: Secret) -> Source:
    return Hmac(
        secret,
        header="X-HubSpot-Signature-v3",
        encoding="base64",
        signed="{method}{url}{body}{timestamp}",
        timestamp_header="X-HubSpot-Request-Timestamp",
        unit="ms",
    )


def _square(secret: Secret) -> Source:
    return Hmac(secret, header="x-square-hmacsha256-signature", encoding="base64", signed="{url}{body}")


def _sendgrid(key: Secret) -> Source:
    return PublicKey(
        key,
        header="X-Twilio-Email-Event-Webhook-Signature",
        algorithm="ecdsa-p256",
        encoding="base64",
        signed="{timestamp}{body}",
        key_encoding="base64",
        timestamp_header="X-Twilio-Email-Event-Webhook-Timestamp",
    )


SENDERS: Final[Mapping[str, Callable[[Secret], Source]]] = {
    "standard": StandardWebhooks,
    "svix": StandardWebhooks,
    "stripe": Stripe,
    "github": GitHub,
    "gitlab": GitLab,
    "slack": Slack,
    "shopify": Shopify,
    "linear": Linear,
    "discord": Discord,
    "twilio": Twilio,
    "zoom": _zoom,
    "paddle": _paddle,
    "meta": _meta,
    "hubspot": _hubspot,
    "square": _square,
    "sendgrid": _sendgrid,
}


def vectors() -> list[dict[str, Any]]:
    """Return the vectors that can be verified without asking the sender for a certificate."""
    return [each for each in _read("webhooks.json") if each["secret"] is not None]


def attacks() -> list[dict[str, Any]]:
    """Return the attacks, each with the status that it must get."""
    return _read("webhook_attacks.json")


def source_of(vector: Mapping[str, Any]) -> Source:
    """Return the source of a vector, with the vector's secret."""
    secret = vector["secret"] if "secret" in vector else vector.get("secrets", ["s"])
    if vector["preset"] == "twilio" and "X-Twilio-Webhooks-Signature-Settings" in vector["headers"]:
        return Twilio(secret, shared_key=True)
    return SENDERS[vector["preset"]](secret)


def request_of(vector: Mapping[str, Any], *, body: bytes | None = None) -> WebhookRequest:
    """Return the request of a vector, with another body if one is given."""
    url = vector.get("url", "https://example.com/webhooks/x")
    return WebhookRequest("POST", url, headers_of(vector), body_of(vector) if body is None else body)


def headers_of(vector: Mapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """Return the headers of a vector as a server gets them."""
    given: Sequence[tuple[str, str]] | Mapping[str, str] = vector.get("headers", [])
    pairs = given.items() if isinstance(given, Mapping) else given
    return [(name.lower().encode(), value.encode()) for name, value in pairs]


def body_of(vector: Mapping[str, Any]) -> bytes:
    """Return the raw body of a vector."""
    if "body" in vector:
        return str(vector["body"]).encode()
    return base64.b64decode(vector.get("body_b64", ""))


def _read(name: str) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = json.loads((_VECTORS / name).read_text())
    return documents
