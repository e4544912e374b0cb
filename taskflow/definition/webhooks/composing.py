"""Deliveries that are made by hand, signed as their sender would sign them."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from pydantic_core import to_json

from taskflow.definition.webhooks.bodies import read_json
from taskflow.definition.webhooks.presets import Discord, GitHub, Linear, Shopify, Slack, Stripe
from taskflow.definition.webhooks.request import FORM, WebhookRequest
from taskflow.definition.webhooks.shared import GitLab
from taskflow.definition.webhooks.source import Source, no_secret
from taskflow.definition.webhooks.standard import StandardWebhooks
from taskflow.definition.webhooks.twilio import Twilio
from taskflow.errors import DefinitionError, WebhookBodyError
from taskflow.suggestions import did_you_mean

PRESETS: Final[Mapping[str, type[Any]]] = {
    kind.__name__.lower(): kind
    for kind in (StandardWebhooks, Stripe, GitHub, GitLab, Slack, Shopify, Twilio, Linear, Discord)
}
"""The sources that need nothing but a secret, by their names in lower case."""


@dataclass(frozen=True, slots=True)
class Sending:
    """A delivery to make.

    Attributes:
        event: The type of the event, for sources that have it in a header; "" for the body's.
        delivery_id: The sender's id; None for a new one, or the body's.
    """

    body: bytes
    event: str = ""
    delivery_id: str | None = None


def source_named(name: str | None, declared: Source) -> Source:
    """Return the source as which a delivery is made: the declared one, or another one by its name.

    Raises:
        DefinitionError: There is no source of that name which needs nothing but a secret.
    """
    if name is None or name.lower() == declared.name.lower():
        return declared
    if name.lower() not in PRESETS:
        remedy = did_you_mean(name.lower(), [*PRESETS, declared.name.lower()], "sources")
        raise DefinitionError("There is no source of that name", option="as", value=name, remedy=remedy)
    source: Source = PRESETS[name.lower()]()
    return source


def compose(source: Source, secrets: Sequence[str], url: str, sending: Sending, now: float) -> WebhookRequest:
    """Return the request that a sender would send.

    Raises:
        WebhookVerificationError: There is no secret, or it is a public key, which cannot sign.
        WebhookBodyError: The body is not JSON, where the source has its time or id there.
    """
    reading = source.reading
    secret = secrets[0] if secrets else ""
    if not secret and not source.usable(()):
        raise no_secret()
    body = source.fresh_body(_with_id(sending, reading.id_headers, reading.id_field), now)
    headers = {"Content-Type": _media_type(body), "User-Agent": "taskflow"}
    if reading.id_headers:
        headers[reading.id_headers[0]] = sending.delivery_id or str(uuid.uuid4())
    if reading.event_header and sending.event:
        headers[reading.event_header] = _event_of_header(source, sending.event)
    unsigned = WebhookRequest("POST", url, _pairs(headers), body)
    request = replace(unsigned, url=source.address(unsigned, secret))
    return replace(request, headers=_pairs(headers | source.sign(request, secret, now)))


def _with_id(sending: Sending, id_headers: Sequence[str], id_field: str | None) -> bytes:
    """Return the body, with the id that is asked for where the source has it there."""
    if sending.delivery_id is None or id_headers or not id_field:
        return sending.body
    document = read_json(sending.body)
    if not isinstance(document, dict) or "." in id_field:
        raise WebhookBodyError(f"the body has no field {id_field!r} for the id")
    return to_json({**cast("dict[str, object]", document), id_field: sending.delivery_id})


def _event_of_header(source: Source, event: str) -> str:
    """Return the part of a type that stands in the header: where the action is in the body, that before the dot."""
    return event.partition(".")[0] if source.reading.action_field else event


def _media_type(body: bytes) -> str:
    try:
        read_json(body)
    except WebhookBodyError:
        return FORM
    return "application/json"


def _pairs(headers: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]
