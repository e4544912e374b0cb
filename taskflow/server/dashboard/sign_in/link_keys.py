"""The keys of links that sign in: an instant and a random text, signed with a secret."""

import hashlib
import hmac
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

LIFE: Final = timedelta(days=1)
_MOST_CHARS: Final = 200


def make_key(secret: str) -> str:
    """Return the key of a new link, which signs in once within a day."""
    claims = f"{int((datetime.now(UTC) + LIFE).timestamp())}.{secrets.token_urlsafe(16)}"
    return f"{claims}.{_signature(secret, claims)}"


def read_key(secret: str, key: str) -> datetime | None:
    """Return when a key expires, None for one that was not made with the secret."""
    claims, _, signature = key.rpartition(".")
    if len(key) > _MOST_CHARS or not key.isascii() or not hmac.compare_digest(_signature(secret, claims), signature):
        return None
    return datetime.fromtimestamp(int(claims.partition(".")[0]), UTC)


def _signature(secret: str, claims: str) -> str:
    return hmac.new(secret.encode(), claims.encode(), hashlib.sha256).hexdigest()
