"""The URL that completes a token without a key, and the public token that completes it over the API. No I/O."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Final

from taskflow.seams.public_tokens import PublicClaims, environment_id, sign_token
from taskflow.seams.server_secret import ServerSecret
from taskflow.settings import Settings

TOKEN_PATH: Final = "/api/v1/waitpoints/tokens"
_OURS: Final = "token_"
_ON_THE_WIRE: Final = "waitpoint_"
_LIFE: Final = timedelta(hours=24)


def wire_token_id(token_id: str) -> str:
    """Return the id of a token as the API shows it: ``waitpoint_...``."""
    return _ON_THE_WIRE + token_id.removeprefix(_OURS)


def engine_token_id(wire_id: str) -> str:
    """Return the engine's id of a token. Takes both forms."""
    return _OURS + wire_id.removeprefix(_ON_THE_WIRE) if wire_id.startswith(_ON_THE_WIRE) else wire_id


class TokenLinks:
    """Makes and checks the links of tokens. They hold on every host that has the same secret."""

    def __init__(self, settings: Settings, secret: ServerSecret) -> None:
        self._public_url = settings.public_url
        self._environment = environment_id(settings.environment)
        self._secret = secret

    def url(self, token_id: str, base: str | None = None) -> str | None:
        """Return the URL, a POST to which completes a token; None when the server's address is not known.

        Args:
            base: The server's address where TASKFLOW_PUBLIC_URL is not set.
        """
        base = self._public_url or base
        wire_id = wire_token_id(token_id)
        return f"{base}{TOKEN_PATH}/{wire_id}/callback/{self._hash(wire_id)}" if base else None

    def is_hash(self, token_id: str, given: str) -> bool:
        """Whether a text is what the token's URL ends with. Compared in constant time."""
        return hmac.compare_digest(self._hash(wire_token_id(token_id)).encode(), given.encode(errors="replace"))

    def access_token(self, token_id: str) -> str:
        """Return a public token that may complete this token for 24 hours."""
        now = datetime.now(UTC)
        claims = PublicClaims(self._environment, (f"write:waitpoints:{wire_token_id(token_id)}",), now + _LIFE)
        return sign_token(claims, self._secret.key("public-tokens"), now)

    def links(self, token_id: str) -> tuple[str | None, str | None]:
        """Return URL and public token; two times None when the server's address is not known."""
        url = self.url(token_id)
        return (url, self.access_token(token_id)) if url else (None, None)

    def _hash(self, wire_id: str) -> str:
        return hmac.new(self._secret.key("token-urls"), wire_id.encode(errors="replace"), hashlib.sha256).hexdigest()
