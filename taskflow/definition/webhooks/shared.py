"""Sources that sign nothing and send a secret instead: a header, GitLab's token, or the address itself."""

import hmac
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlencode

from taskflow.definition.webhooks.request import WebhookRequest
from taskflow.definition.webhooks.scheme import TOLERANCE
from taskflow.definition.webhooks.secrets import Secret
from taskflow.definition.webhooks.source import Reading, Source, no_secret
from taskflow.definition.webhooks.standard import standard_schemes
from taskflow.errors import DefinitionError, WebhookVerificationError

_TOKEN: Final = "X-Gitlab-Token"


class SharedSecret(Source):
    """A sender that puts the secret itself in a header.

    Args:
        secret: Default: that of the setting ``TASKFLOW_WEBHOOK_SECRETS``.
        header: The header; for ``Authorization``, the prefix is often ``"Bearer "``.
        prefix: The text before the secret.
        id_header, id_field: The place of the delivery's id: a header, or a dotted path of the body.
        event_header, event_field: The place of the event's type.
        keep_headers: More headers for the record and the run.
    """

    def __init__(
        self,
        secret: Secret = None,
        *,
        header: str,
        prefix: str = "",
        id_header: str | None = None,
        id_field: str | None = None,
        event_header: str | None = None,
        event_field: str | None = None,
        keep_headers: Sequence[str] = (),
    ) -> None:
        if not header:
            raise DefinitionError("A shared secret needs a header", option="header", value=header)
        self._header, self._prefix = header, prefix
        self.secret_headers = (header,)
        super().__init__(secret, _reading(id_header, id_field, event_header, event_field, keep_headers))

    def usable(self, secrets: Sequence[str]) -> int:
        """Return how many secrets there are."""
        return len([secret for secret in secrets if secret])

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: float) -> None:
        """Compare the header with the secrets, in constant time."""
        compare(request.required(self._header), [f"{self._prefix}{secret}" for secret in secrets if secret])

    def sign(self, request: WebhookRequest, secret: str, now: float) -> dict[str, str]:
        """Return the header that makes a request genuine."""
        return {self._header: f"{self._prefix}{secret}"}


class GitLab(Source):
    """GitLab, with a secret token, or with a signing token (``whsec_...``). The type is its event: ``Push Hook``.

    Args:
        secret: The webhook's token. One that begins with ``whsec_`` is a signing token: then only signed deliveries
            are accepted.
    """

    secret_headers = (_TOKEN, "webhook-signature")

    def __init__(self, secret: Secret = None) -> None:
        self._scheme, _ = standard_schemes("webhook", TOLERANCE)
        reading = Reading(
            id_headers=("webhook-id", "Idempotency-Key", "X-Gitlab-Event-UUID"),
            event_header="X-Gitlab-Event",
            event_fields=("object_kind",),
            kept=("X-Gitlab-", "webhook-timestamp"),
        )
        super().__init__(secret, reading)

    def usable(self, secrets: Sequence[str]) -> int:
        """Return how many secrets there are."""
        return len(self._scheme.keys(secrets)) + len(self._tokens(secrets))

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: float) -> None:
        """Verify the signature, or compare the token."""
        tokens = self._tokens(secrets)
        if not tokens or (self._scheme.keys(secrets) and request.header("webhook-signature") is not None):
            self._scheme.verify(request, secrets, now)
        else:
            compare(request.required(_TOKEN), tokens)

    def sign(self, request: WebhookRequest, secret: str, now: float) -> dict[str, str]:
        """Return the headers that make a request genuine."""
        return {_TOKEN: secret} if self._tokens([secret]) else self._scheme.sign(request, secret, now)

    def _tokens(self, secrets: Sequence[str]) -> list[str]:
        return [secret for secret in secrets if secret and not secret.startswith("whsec_")]


class SecretUrl(Source):
    """A sender that can prove nothing: whoever knows the address is believed. The address cannot be guessed.

    Args:
        secret: Text that the address must have in addition, as a parameter of its query, so that it can be rotated.
        parameter: The name of that parameter.
        id_header, id_field: The place of the delivery's id: a header, or a dotted path of the body.
        event_header, event_field: The place of the event's type.
        keep_headers: More headers for the record and the run.
    """

    def __init__(
        self,
        secret: Secret = None,
        *,
        parameter: str = "secret",
        id_header: str | None = None,
        id_field: str | None = None,
        event_header: str | None = None,
        event_field: str | None = None,
        keep_headers: Sequence[str] = (),
    ) -> None:
        self._has_secret, self._parameter = secret is not None, parameter
        super().__init__(secret, _reading(id_header, id_field, event_header, event_field, keep_headers))

    def usable(self, secrets: Sequence[str]) -> int:
        """Return how many secrets there are; 1 where the address is the only one."""
        return len([secret for secret in secrets if secret]) if self._has_secret else 1

    def verify(self, request: WebhookRequest, secrets: Sequence[str], now: float) -> None:
        """Compare the address's parameter with the secrets, in constant time. The address itself was found before."""
        if self._has_secret or secrets:
            given = request.parameter(self._parameter) or ""
            compare(given.encode(errors="surrogatepass"), [secret for secret in secrets if secret])

    def sign(self, request: WebhookRequest, secret: str, now: float) -> dict[str, str]:
        """Return no header, because the address is the proof."""
        return {}

    def address(self, request: WebhookRequest, secret: str) -> str:
        """Return the address with its secret."""
        return f"{request.url}?{urlencode({self._parameter: secret})}" if secret else request.url


def compare(given: bytes, secrets: Sequence[str]) -> None:
    """Compare a text that arrived with all secrets, in constant time.

    Raises:
        WebhookVerificationError: It is none of them, or there are none.
    """
    if not secrets:
        raise no_secret()
    is_right = False
    for secret in secrets:
        is_right |= hmac.compare_digest(secret.encode(errors="surrogatepass"), given)
    if not is_right:
        raise WebhookVerificationError("the secret is wrong")


def _reading(
    id_header: str | None,
    id_field: str | None,
    event_header: str | None,
    event_field: str | None,
    keep_headers: Sequence[str],
) -> Reading:
    return Reading(
        id_headers=(id_header,) if id_header else (),
        id_field=id_field,
        event_header=event_header,
        event_fields=(event_field,) if event_field else (),
        kept=tuple(keep_headers),
    )
