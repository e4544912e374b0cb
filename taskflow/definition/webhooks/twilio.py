"""Twilio, which signs its address and the sorted fields of the form, or the address with the digest of a JSON body."""

import hashlib
import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import parse_qsl

from taskflow.definition.webhooks.bodies import MOST_FIELDS
from taskflow.definition.webhooks.request import FORM, WebhookRequest
from taskflow.definition.webhooks.secrets import Secret
from taskflow.definition.webhooks.signatures import HmacAlgorithm, decode, decode_key, encode, is_signed, sign_hmac
from taskflow.definition.webhooks.source import Reading, Source, no_secret
from taskflow.errors import WebhookVerificationError

_HEADER: Final = "X-Twilio-Signature"
_DIGEST: Final = "bodySHA256"


class Twilio(Source):
    """Twilio. It signs the public address: set ``TASKFLOW_PUBLIC_URL`` behind a proxy. It signs no timestamp.

    Args:
        secret: The account's auth token; the key itself with ``shared_key``.
        shared_key: Whether the secret is a SharedKey, which signs with SHA-256. The request does not choose that.
    """

    secret_headers = (_HEADER,)

    def __init__(self, secret: Secret = None, *, shared_key: bool = False) -> None:
        self._algorithm: HmacAlgorithm = "sha256" if shared_key else "sha1"
        reading = Reading(
            id_headers=("I-Twilio-Idempotency-Token",),
            event_fields=("EventType", "CallStatus", "MessageStatus", "SmsStatus"),
        )
        super().__init__(secret, reading)

    def usable(self, secrets: Sequence[str]) -> int:
        """Return how many secrets there are."""
        return len(_keys(secrets))

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: float) -> None:
        """Verify a delivery over its address and its fields."""
        keys = _keys(secrets)
        if not keys:
            raise no_secret()
        signature = decode(request.required(_HEADER), "base64")
        if not is_signed(keys, _message(request), [signature] if signature else [], self._algorithm):
            raise WebhookVerificationError("no signature matches")

    def sign(self, request: WebhookRequest, secret: str, now: float) -> dict[str, str]:
        """Return the header that makes a request genuine."""
        [key] = _keys([secret]) or [b""]
        if not key:
            raise no_secret()
        return {_HEADER: encode(sign_hmac(key, _message(request), self._algorithm), "base64")}

    def address(self, request: WebhookRequest, secret: str) -> str:
        """Return the address, with the digest of a body that is not a form."""
        if request.media_type in ("", FORM):
            return request.url
        return f"{request.url}?{_DIGEST}={hashlib.sha256(request.body).hexdigest()}"

    def read_body(self, request: WebhookRequest) -> object:
        """Return the body. Without a type it is a form, as signed."""
        if not request.media_type and request.parameter(_DIGEST) is None:
            request = WebhookRequest(request.method, request.url, [(b"content-type", FORM.encode())], request.body)
        return super().read_body(request)


def _keys(secrets: Sequence[str]) -> list[bytes]:
    return [key for key in (decode_key(secret, "text") for secret in secrets) if key]


def _message(request: WebhookRequest) -> bytes:
    """Return what was signed. The body counts in either case: by its digest, or by its fields.

    Raises:
        WebhookVerificationError: The digest in the address is not that of the body, or a body that is no form has none.
    """
    digest = request.parameter(_DIGEST)
    if digest is not None:
        actual = hashlib.sha256(request.body).hexdigest()
        if not hmac.compare_digest(actual.encode(), digest.lower().encode(errors="surrogatepass")):
            raise WebhookVerificationError("the digest of the body in the address is wrong")
        return request.url.encode()
    if request.media_type not in ("", FORM):
        raise WebhookVerificationError("a body that is not a form needs its digest in the address")
    try:
        pairs = parse_qsl(request.body.decode("latin-1"), keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise WebhookVerificationError(f"the form has more than {MOST_FIELDS:,} fields") from None
    fields = sorted(set(pairs))
    return request.url.encode() + "".join(name + value for name, value in fields).encode(errors="surrogatepass")
