"""The way in which a sender signs the raw body: its parts, verification and signing."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from taskflow.definition.webhooks.bodies import field_of, read_json
from taskflow.definition.webhooks.request import WebhookRequest
from taskflow.definition.webhooks.signatures import (
    Encoding,
    HmacAlgorithm,
    KeyAlgorithm,
    KeyEncoding,
    decode,
    decode_key,
    encode,
    is_signed,
    sign_hmac,
)
from taskflow.definition.webhooks.source import no_secret
from taskflow.definition.webhooks.template import SigningTemplate
from taskflow.definition.webhooks.timestamps import TimeUnit, check_timestamp
from taskflow.durations import Duration, parse_duration
from taskflow.errors import DefinitionError, WebhookVerificationError
from taskflow.errors.base import shown

MOST_SIGNATURES: Final = 10
TOLERANCE: Final = 300.0
_PATH: Final = re.compile(r"[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*")


@dataclass(frozen=True, slots=True)
class Scheme:
    """The way in which a sender signs.

    Attributes:
        header: The header of the signature, which holds several items if there is a ``separator``.
        prefix: The beginning of each item that is a signature. Other items do not count.
        signed: The signed text, see ``SigningTemplate``.
        key_prefix: What a usable secret begins with; it is not a part of the key.
        timestamp_header, timestamp_item, timestamp_field: The place of the timestamp: a header, the item of the
            signature's header that begins so, or a path of the body.
    """

    header: str
    algorithm: HmacAlgorithm | KeyAlgorithm = "sha256"
    encoding: Encoding = "hex"
    prefix: str = ""
    separator: str | None = None
    signed: SigningTemplate = SigningTemplate("{body}")  # noqa: RUF009 - it is never changed
    key_encoding: KeyEncoding = "text"
    key_prefix: str = ""
    id_header: str | None = None
    timestamp_header: str | None = None
    timestamp_item: str | None = None
    timestamp_field: str | None = None
    unit: TimeUnit = "s"
    tolerance: float = TOLERANCE

    def keys(self, secrets: Sequence[str]) -> list[bytes]:
        """Return the keys that the usable ones of some secrets are."""
        keys = (decode_key(secret, self.key_encoding, self.key_prefix) for secret in secrets)
        return [key for key in keys if key]

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: float) -> None:
        """Verify a request. See ``Source.verify``."""
        keys = self.keys(secrets)
        if not keys:
            raise no_secret()
        items = self._items(request.required(self.header))
        if len(items) > MOST_SIGNATURES:
            raise WebhookVerificationError(f"it has more than {MOST_SIGNATURES} signatures")
        timestamp = self._timestamp(request, items)
        message = self._message(request, timestamp or b"")
        if not is_signed(keys, message, self._signatures(items), self.algorithm):
            raise WebhookVerificationError("no signature matches")
        if self.timestamp_field:
            timestamp = str(field_of(read_json(request.body), self.timestamp_field)).encode()
        if timestamp is not None:
            check_timestamp(timestamp, self.unit, self.tolerance, now)

    def sign(self, request: WebhookRequest, secret: str, now: float) -> dict[str, str]:
        """Return the headers of a signed request. See ``Source.sign``."""
        key = decode_key(secret, self.key_encoding, self.key_prefix)
        if key is None:
            raise no_secret()
        if self.algorithm == "ed25519" or self.algorithm == "ecdsa-p256":
            raise WebhookVerificationError("its secret is a public key, which verifies and cannot sign")
        time = self.time_text(now)
        signature = sign_hmac(key, self._message(request, time.encode()), self.algorithm)
        items = [*([f"{self.timestamp_item}{time}"] if self.timestamp_item else ())]
        items.append(f"{self.prefix}{encode(signature, self.encoding)}")
        headers = {self.header: (self.separator or "").join(items)}
        return headers | ({self.timestamp_header: time} if self.timestamp_header else {})

    def time_text(self, now: float) -> str:
        """Return an instant as the sender writes it."""
        return str(int(now * 1000 if self.unit == "ms" else now))

    def _items(self, header: bytes) -> list[bytes]:
        return header.split(self.separator.encode()) if self.separator else [header]

    def _signatures(self, items: Sequence[bytes]) -> list[bytes]:
        prefix = self.prefix.encode()
        texts = [item[len(prefix) :] for item in items if item.startswith(prefix)]
        signatures = [decode(text, self.encoding) for text in texts]
        return [signature for signature in signatures if signature is not None]

    def _timestamp(self, request: WebhookRequest, items: Sequence[bytes]) -> bytes | None:
        if self.timestamp_header:
            return request.required(self.timestamp_header)
        if not self.timestamp_item:
            return None
        prefix = self.timestamp_item.encode()
        found = [item[len(prefix) :] for item in items if item.startswith(prefix)]
        if len(found) != 1:
            raise WebhookVerificationError(f"the signature has {len(found)} timestamps")
        return found[0]

    def _message(self, request: WebhookRequest, timestamp: bytes) -> bytes:
        delivery_id = request.required(self.id_header or "") if self.signed.has("id") else b""
        parts = {"timestamp": timestamp, "id": delivery_id, "body": request.body}
        parts |= {"method": request.method.encode(), "url": request.url.encode()}
        return self.signed.fill(parts)


def tolerance_of(given: Duration) -> float:
    """Return how far a timestamp may be from now, in seconds.

    Raises:
        DefinitionError: It is not a duration.
    """
    return parse_duration(given, option="tolerance").total_seconds()


def checked(scheme: Scheme) -> Scheme:
    """Return a scheme whose parts fit each other.

    Raises:
        DefinitionError: They do not.
    """
    check_choice("encoding", scheme.encoding, ("hex", "base64"))
    check_choice("key_encoding", scheme.key_encoding, ("text", "hex", "base64"))
    check_choice("unit", scheme.unit, ("s", "ms"))
    if not scheme.header:
        raise DefinitionError("A signature needs a header", option="header", value=scheme.header)
    places = [scheme.timestamp_header, scheme.timestamp_item, scheme.timestamp_field]
    known = [place for place in places if place]
    if len(known) > 1:
        raise DefinitionError("A timestamp has one place", option="timestamp", value=known, remedy="Name one of them.")
    if scheme.signed.has("timestamp") and not (scheme.timestamp_header or scheme.timestamp_item):
        remedy = "Name timestamp_header or timestamp_item."
        raise DefinitionError(
            "The signed timestamp has no place", option="signed", value=scheme.signed.text, remedy=remedy
        )
    if scheme.timestamp_field and not _PATH.fullmatch(scheme.timestamp_field):
        remedy = "Write names with dots between them."
        raise DefinitionError("That is no path", option="timestamp_field", value=scheme.timestamp_field, remedy=remedy)
    if scheme.timestamp_header and not scheme.signed.has("timestamp"):
        remedy = "Add {timestamp} to it, or leave timestamp_header out: what is not signed proves nothing."
        raise DefinitionError("The timestamp is not signed", option="signed", value=scheme.signed.text, remedy=remedy)
    if scheme.signed.has("id") and not scheme.id_header:
        remedy = "Name id_header."
        raise DefinitionError("The signed id has no place", option="signed", value=scheme.signed.text, remedy=remedy)
    return scheme


def check_choice(option: str, given: str, choices: Sequence[str]) -> None:
    """Refuse a value that is not one of the choices.

    Raises:
        DefinitionError: It is none of them.
    """
    if given not in choices:
        remedy = f"Use one of {', '.join(map(shown, choices))}."
        raise DefinitionError("A webhook's source cannot be so", option=option, value=given, remedy=remedy)
