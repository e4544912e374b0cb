"""Sources that sign the raw body, and ``Hmac`` and ``PublicKey`` for any sender."""

from collections.abc import Sequence
from typing import Literal

from pydantic_core import to_json

from taskflow.definition.webhooks.bodies import read_json
from taskflow.definition.webhooks.challenge import Challenge, Subscription
from taskflow.definition.webhooks.request import WebhookRequest
from taskflow.definition.webhooks.scheme import TOLERANCE, Scheme, check_choice, checked, tolerance_of
from taskflow.definition.webhooks.secrets import Secret
from taskflow.definition.webhooks.signatures import (
    Encoding,
    HmacAlgorithm,
    KeyAlgorithm,
    KeyEncoding,
    require_cryptography,
)
from taskflow.definition.webhooks.source import Reading, Source
from taskflow.definition.webhooks.template import SigningTemplate
from taskflow.durations import Duration


class Signed(Source):
    """A source with one scheme."""

    def __init__(self, secret: Secret, scheme: Scheme, reading: Reading) -> None:
        self.scheme = scheme
        self.secret_headers = (scheme.header,)
        super().__init__(secret, reading)

    def usable(self, secrets: Sequence[str]) -> int:
        """Return how many of the secrets are keys of the scheme."""
        return len(self.scheme.keys(secrets))

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: float) -> None:
        """Verify a delivery over its raw bytes."""
        self.scheme.verify(request, secrets, now)

    def sign(self, request: WebhookRequest, secret: str, now: float) -> dict[str, str]:
        """Return the headers that make a request genuine."""
        return self.scheme.sign(request, secret, now)

    def fresh_body(self, body: bytes, now: float) -> bytes:
        """Return a recorded body with the timestamp of now, if the source keeps it there."""
        path = self.scheme.timestamp_field
        document = read_json(body) if path else None
        if not path or "." in path or not isinstance(document, dict):
            return body
        return to_json({**document, path: int(self.scheme.time_text(now))})


class Hmac(Signed):
    """Any sender that signs with a secret that both sides have.

    Args:
        secret: Default: that of the setting ``TASKFLOW_WEBHOOK_SECRETS``.
        header: The header of the signature.
        algorithm: ``"sha256"``, ``"sha1"``, ``"sha384"`` or ``"sha512"``.
        encoding: ``"hex"`` or ``"base64"``.
        prefix: The text before the signature, for example ``"sha256="``.
        separator: What separates several items in the header, for example ``","``. Items without the prefix do not
            count as signatures.
        signed: The signed text: ``{body}``, and ``{id}``, ``{timestamp}``, ``{method}``, ``{url}``.
        key_encoding: How the secret encodes the key: ``"text"``, ``"hex"`` or ``"base64"``.
        key_prefix: The beginning of the secret that is not a part of the key.
        id_header, id_field: The place of the delivery's id: a header, or a dotted path of the body.
        event_header, event_field: The place of the event's type.
        timestamp_header, timestamp_item, timestamp_field: The place of the timestamp: a header, the item of the
            signature's header with this beginning, for example ``"t="``, or a dotted path of the body.
        unit: Of the timestamp, ``"s"`` or ``"ms"``.
        tolerance: How far the timestamp may be from now, both ways.
        challenge: How the sender checks the address with a delivery.
        subscription: How the sender checks the address with GET.
        form_field: The field that has JSON where the sender sends a form.
        keep_headers: More headers for the record and the run. ``"X-Shop-"`` stands for all that begin so.

    Raises:
        DefinitionError: An option is not possible.
    """

    def __init__(
        self,
        secret: Secret = None,
        *,
        header: str,
        algorithm: HmacAlgorithm = "sha256",
        encoding: Encoding = "hex",
        prefix: str = "",
        separator: str | None = None,
        signed: str = "{body}",
        key_encoding: KeyEncoding = "text",
        key_prefix: str = "",
        id_header: str | None = None,
        id_field: str | None = None,
        event_header: str | None = None,
        event_field: str | None = None,
        timestamp_header: str | None = None,
        timestamp_item: str | None = None,
        timestamp_field: str | None = None,
        unit: Literal["s", "ms"] = "s",
        tolerance: Duration = TOLERANCE,
        challenge: Challenge | None = None,
        subscription: Subscription | None = None,
        form_field: str | None = None,
        keep_headers: Sequence[str] = (),
    ) -> None:
        check_choice("algorithm", algorithm, ("sha256", "sha1", "sha384", "sha512"))
        scheme = Scheme(
            header, algorithm, encoding, prefix, separator, SigningTemplate(signed), key_encoding, key_prefix,
            id_header, timestamp_header, timestamp_item, timestamp_field, unit, tolerance_of(tolerance),
        )  # fmt: skip
        super().__init__(
            secret,
            checked(scheme),
            _reading(
                scheme, id_field, event_header, event_field, tuple(keep_headers), challenge, subscription, form_field
            ),
        )


class PublicKey(Signed):
    """Any sender that signs with a private key. Needs the package ``cryptography``.

    Args:
        key: The public key, or several: of ed25519 its 32 bytes, of ECDSA on P-256 its DER (SubjectPublicKeyInfo).
            Default: that of the setting ``TASKFLOW_WEBHOOK_SECRETS``.
        algorithm: ``"ed25519"``, or ``"ecdsa-p256"`` over SHA-256 with signatures in DER.
        key_encoding: How the key is written: ``"hex"`` or ``"base64"``.

    Other arguments: see ``Hmac``.

    Raises:
        DefinitionError: An option is not possible, or ``cryptography`` is not installed.
    """

    def __init__(
        self,
        key: Secret = None,
        *,
        header: str,
        algorithm: KeyAlgorithm = "ed25519",
        encoding: Encoding = "hex",
        prefix: str = "",
        separator: str | None = None,
        signed: str = "{body}",
        key_encoding: Literal["hex", "base64"] = "hex",
        id_header: str | None = None,
        id_field: str | None = None,
        event_header: str | None = None,
        event_field: str | None = None,
        timestamp_header: str | None = None,
        timestamp_item: str | None = None,
        unit: Literal["s", "ms"] = "s",
        tolerance: Duration = TOLERANCE,
        challenge: Challenge | None = None,
        keep_headers: Sequence[str] = (),
    ) -> None:
        check_choice("algorithm", algorithm, ("ed25519", "ecdsa-p256"))
        require_cryptography(f"A webhook that is signed with {algorithm}")
        scheme = Scheme(
            header, algorithm, encoding, prefix, separator, SigningTemplate(signed), key_encoding, "",
            id_header, timestamp_header, timestamp_item, None, unit, tolerance_of(tolerance),
        )  # fmt: skip
        super().__init__(
            key,
            checked(scheme),
            _reading(scheme, id_field, event_header, event_field, tuple(keep_headers), challenge, None, None),
        )


def _reading(
    scheme: Scheme,
    id_field: str | None,
    event_header: str | None,
    event_field: str | None,
    kept: tuple[str, ...],
    challenge: Challenge | None,
    subscription: Subscription | None,
    form_field: str | None,
) -> Reading:
    times = (scheme.timestamp_header,) if scheme.timestamp_header else ()
    return Reading(
        id_headers=(scheme.id_header,) if scheme.id_header else (),
        id_field=id_field,
        event_header=event_header,
        event_fields=(event_field,) if event_field else (),
        form_field=form_field,
        kept=(*times, *kept),
        challenge=challenge,
        subscription=subscription,
    )
