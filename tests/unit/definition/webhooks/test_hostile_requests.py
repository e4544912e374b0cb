"""A source answers all that a stranger sends with one of its two errors: another one would be a 500."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from taskflow.definition.webhooks.request import WebhookRequest
from taskflow.definition.webhooks.shared import SecretUrl, SharedSecret
from taskflow.definition.webhooks.source import Source
from taskflow.errors import WebhookBodyError, WebhookVerificationError
from tests.support.webhook_senders import request_of, source_of, vectors

pytestmark = pytest.mark.unit
NOW = 1_700_000_000.0
VECTORS = [each for each in vectors() if each["preset"] != "svix"]
SIGNED = ("v1,", "v1a,", "t=", "v1=", "sha256=", "v0=", "ts=1;h1=", "h1=", "", "1700000000", "=", ",", "\x00", "é")
"""Beginnings that lead a parser further than mere noise does."""


def _joined(parts: list[str]) -> bytes:
    return "".join(parts).encode("latin-1", "replace")


TEXTS = st.lists(st.sampled_from(SIGNED) | st.text(), max_size=4).map(_joined)
BODIES = st.binary(max_size=60) | st.sampled_from(
    [b"", b"null", b"[]", b'{"type":"url_verification"}', b'{"type":1}', b"a=1&a=2&=", b'{"webhookTimestamp":1e999}',
     b'{"webhookTimestamp":"x"}', b'{"event":{"type":{}}}', b"[" * 5000, b"\xff\xfe", b'{"type":"\\ud800"}']
)  # fmt: skip


def names_of(source: Source) -> list[str]:
    """Return the headers that a source may read."""
    scheme: Any = getattr(source, "scheme", None)
    read = [*source.secret_headers, *source.reading.id_headers, source.reading.event_header, "Content-Type"]
    read += [scheme.timestamp_header] if scheme else ["webhook-timestamp", "svix-timestamp"]
    return [name for name in read if name]


def answers(source: Source, request: WebhookRequest) -> bool:
    """Verify and read a request as the server does. Returns whether it was taken."""
    try:
        secrets = source.secrets()
        source.verify(request, secrets, NOW)
        source.read(request, secrets)
    except (WebhookVerificationError, WebhookBodyError):
        return False
    return True


@pytest.mark.parametrize("number", range(len(VECTORS)), ids=[each["preset"] for each in VECTORS])
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_noise_is_refused(number: int, data: st.DataObject) -> None:
    """In every header that the source reads, and as the body."""
    source = source_of(VECTORS[number])
    present = data.draw(st.lists(st.sampled_from(names_of(source)), max_size=6))
    headers = [(name.lower().encode(), data.draw(TEXTS)) for name in present]
    url = data.draw(
        st.sampled_from(["https://x/h", "https://x/h?bodySHA256=é", "https://x/h?secret=", "https://[", ""])
    )
    assert not answers(source, WebhookRequest("POST", url, headers, data.draw(BODIES)))


@pytest.mark.parametrize("number", range(len(VECTORS)), ids=[each["preset"] for each in VECTORS])
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_genuine_delivery_with_one_changed_byte_is_refused_or_still_genuine(number: int, data: st.DataObject) -> None:
    """It never raises anything else. Bytes that nothing signs, as those of a type, may differ."""
    vector = VECTORS[number]
    source, request = source_of(vector), request_of(vector)
    place = data.draw(st.integers(0, len(request.headers) - 1))
    name, value = request.headers[place]
    at = data.draw(st.integers(0, max(0, len(value) - 1)))
    changed = value[:at] + bytes([data.draw(st.integers(0, 255))]) + value[at + 1 :]
    headers = [*request.headers[:place], (name, changed), *request.headers[place + 1 :]]
    answers(source, replace(request, headers=headers))


@settings(max_examples=40, deadline=None)
@given(value=TEXTS, query=st.text(max_size=20), body=BODIES)
def test_a_secret_that_is_sent_is_refused_when_it_is_noise(value: bytes, query: str, body: bytes) -> None:
    """Also in the address."""
    sources: list[Source] = [SharedSecret("s3cret", header="X-Token"), SecretUrl("s3cret")]
    for source in sources:
        assert not answers(source, WebhookRequest("POST", f"https://x/h?{query}", [(b"x-token", value)], body))
