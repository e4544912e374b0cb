"""Standard Webhooks: the shared scheme of Svix, Clerk, Resend, OpenAI and others, with HMAC and ed25519."""

from collections.abc import Sequence
from typing import Final

from taskflow.definition.webhooks.request import WebhookRequest
from taskflow.definition.webhooks.scheme import TOLERANCE, Scheme, tolerance_of
from taskflow.definition.webhooks.secrets import Secret
from taskflow.definition.webhooks.signatures import require_cryptography
from taskflow.definition.webhooks.source import Reading, Source, no_secret
from taskflow.definition.webhooks.template import SigningTemplate
from taskflow.durations import Duration
from taskflow.errors import WebhookVerificationError

_NAMES: Final = ("webhook", "svix")
_PUBLIC: Final = "whpk_"
_SIGNED: Final = SigningTemplate("{id}.{timestamp}.{body}")


def standard_schemes(name: str, tolerance: float) -> tuple[Scheme, Scheme]:
    """Return the scheme of secrets and that of public keys, for headers that begin with a name."""

    def scheme(algorithm: str) -> Scheme:
        is_public = algorithm == "ed25519"
        return Scheme(
            f"{name}-signature",
            "ed25519" if is_public else "sha256",
            "base64",
            prefix="v1a," if is_public else "v1,",
            separator=" ",
            signed=_SIGNED,
            key_encoding="base64",
            key_prefix=_PUBLIC if is_public else "whsec_",
            id_header=f"{name}-id",
            timestamp_header=f"{name}-timestamp",
            tolerance=tolerance,
        )

    return scheme("sha256"), scheme("ed25519")


class StandardWebhooks(Source):
    """Standard Webhooks, with its own header names and those of Svix (Clerk, Resend and others).

    Args:
        secret: ``whsec_...``, or a public key ``whpk_...``, which needs the package ``cryptography``.
        tolerance: How far the timestamp may be from now, both ways.
    """

    secret_headers = ("webhook-signature", "svix-signature")

    def __init__(self, secret: Secret = None, *, tolerance: Duration = TOLERANCE) -> None:
        self._schemes = {name: standard_schemes(name, tolerance_of(tolerance)) for name in _NAMES}
        if isinstance(secret, str) and secret.startswith(_PUBLIC):
            require_cryptography("A webhook with a public key")
        reading = Reading(
            id_headers=("webhook-id", "svix-id"),
            event_fields=("type",),
            kept=("webhook-timestamp", "svix-timestamp"),
        )
        super().__init__(secret, reading)

    def usable(self, secrets: Sequence[str]) -> int:
        """Return how many of the secrets are keys."""
        return sum(len(scheme.keys(secrets)) for scheme in self._schemes["webhook"])

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: float) -> None:
        """Verify a delivery over its raw bytes."""
        is_svix = request.header("webhook-signature") is None and request.header("svix-signature") is not None
        shared, public = self._schemes["svix" if is_svix else "webhook"]
        if not self.usable(secrets):
            raise no_secret()
        # Which scheme counts follows from the secrets, never from the request.
        if not public.keys(secrets):
            shared.verify(request, secrets, now)
        elif not shared.keys(secrets):
            public.verify(request, secrets, now)
        else:
            verify_either(shared, public, request, secrets, now)

    def sign(self, request: WebhookRequest, secret: str, now: float) -> dict[str, str]:
        """Return the headers that make a request genuine."""
        shared, public = self._schemes["webhook"]
        return (public if secret.startswith(_PUBLIC) else shared).sign(request, secret, now)


def verify_either(one: Scheme, other: Scheme, request: WebhookRequest, secrets: Sequence[str], now: float) -> None:
    """Verify a request by one scheme or the other, while secrets of both are valid.

    Raises:
        WebhookVerificationError: Neither verifies it.
    """
    try:
        one.verify(request, secrets, now)
    except WebhookVerificationError:
        other.verify(request, secrets, now)
