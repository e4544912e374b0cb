"""Public access tokens: JSON Web Tokens (RFC 7519) with an HMAC-SHA256 signature and scopes. No I/O.

A page in a browser holds one, so it expires soon and allows only what its scopes say. The library is not one of JWT,
because workers make tokens as well, and the whole of it is one HMAC.
"""

import binascii
import hashlib
import hmac
import json
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, cast

ISSUER: Final = "https://id.trigger.dev"
AUDIENCE: Final = "https://api.trigger.dev"
DEFAULT_LIFE: Final = timedelta(minutes=15)
LONGEST_LIFE: Final = timedelta(days=30)
_HEADER: Final = {"alg": "HS256"}
LONGEST_TOKEN: Final = 16_384
_PARTS: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_LAST_SECOND: Final = 253_402_300_799  # of the year 9999


@dataclass(frozen=True, slots=True)
class PublicClaims:
    """The content of a public token.

    Attributes:
        subject: The environment's id, ``env_<environment>``.
        scopes: Texts ``action``, ``action:type`` or ``action:type:id``.
        is_one_time: Whether the first accepted trigger or batch spends it.
        skip_columns: Columns that realtime rows leave out.
        key_id: The API key that asked for the token, with which it is revoked. None for a token that a worker made.
    """

    subject: str
    scopes: tuple[str, ...]
    expires_at: datetime
    is_one_time: bool = False
    skip_columns: tuple[str, ...] = ()
    key_id: str | None = None


class PublicTokenError(Exception):
    """A public token is not valid. The text is the reason; it holds nothing of the token."""

    def __init__(self, reason: str, *, is_expired: bool = False) -> None:
        self.is_expired = is_expired
        super().__init__(reason)


def looks_like_token(bearer: str) -> bool:
    """Whether a bearer has the form of a JSON Web Token."""
    return len(bearer) <= LONGEST_TOKEN and _PARTS.fullmatch(bearer) is not None


def environment_id(environment: str) -> str:
    """Return the id that the API shows for an environment: the subject of its tokens."""
    return f"env_{environment}"


def sign_token(claims: PublicClaims, key: bytes, now: datetime) -> str:
    """Return a token that ``read_token`` takes until it expires."""
    payload: dict[str, object] = {
        "sub": claims.subject,
        "pub": True,
        "scopes": claims.scopes,
        "iat": int(now.timestamp()),
        "exp": int(claims.expires_at.timestamp()),
        "iss": ISSUER,
        "aud": AUDIENCE,
    }
    if claims.is_one_time:
        payload |= {"otu": True, "jti": secrets.token_hex(8)}
    if claims.skip_columns:
        payload["realtime"] = {"skipColumns": claims.skip_columns}
    if claims.key_id:
        payload["key"] = claims.key_id
    signed = f"{_encoded(_json(_HEADER))}.{_encoded(_json(payload))}"
    return f"{signed}.{_encoded(_signature(signed, key))}"


def read_token(token: str, key: bytes, subject: str, now: datetime) -> PublicClaims:
    """Return the content of a token.

    Raises:
        PublicTokenError: It is malformed, has another algorithm or signature, is not for this subject, issuer or
            audience, or has expired. There is no leeway.
    """
    if not looks_like_token(token):
        raise PublicTokenError("it is not a JSON Web Token")
    signed, _, signature = token.rpartition(".")
    header, _, payload = signed.partition(".")
    if _decoded_object(header).get("alg") != _HEADER["alg"]:
        raise PublicTokenError("its algorithm is not HS256")
    expected = _encoded(_signature(signed, key))  # as text: several texts decode to one signature, a token is one text
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        raise PublicTokenError("its signature is not this server's")
    return _checked(_decoded_object(payload), subject, now)


def _checked(fields: dict[str, Any], subject: str, now: datetime) -> PublicClaims:
    expires, audience = fields.get("exp"), fields.get("aud")
    if isinstance(expires, bool) or not isinstance(expires, int | float) or not 0 < expires < _LAST_SECOND:
        raise PublicTokenError("it has no instant of its expiry")
    if fields.get("sub") != subject or fields.get("pub") is not True:
        raise PublicTokenError("it is not a public token of this environment")
    if fields.get("iss") != ISSUER or AUDIENCE not in (audience if isinstance(audience, list) else [audience]):
        raise PublicTokenError("its issuer or audience is another one")
    if now.timestamp() >= expires:
        raise PublicTokenError("it has expired", is_expired=True)
    scopes, realtime = _texts(fields.get("scopes")), fields.get("realtime")
    skipped = cast("dict[str, object]", realtime).get("skipColumns") if isinstance(realtime, dict) else None
    until, key_id = datetime.fromtimestamp(expires, UTC), fields.get("key")
    own_key = key_id if isinstance(key_id, str) else None
    return PublicClaims(subject, scopes, until, fields.get("otu") is True, _texts(skipped), own_key)


def _texts(value: object) -> tuple[str, ...]:
    items: Sequence[object] = cast("list[object]", value) if isinstance(value, list) else ()
    return tuple(item for item in items if isinstance(item, str))


def _signature(signed: str, key: bytes) -> bytes:
    return hmac.digest(key, signed.encode(), hashlib.sha256)


def _json(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _encoded(content: bytes) -> str:
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    try:
        return urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except binascii.Error:
        raise PublicTokenError("it is not a JSON Web Token") from None


def _decoded_object(text: str) -> dict[str, Any]:
    try:
        value: object = json.loads(_decoded(text))
    except (ValueError, RecursionError):
        raise PublicTokenError("it is not a JSON Web Token") from None
    if not isinstance(value, dict):
        raise PublicTokenError("it is not a JSON Web Token")
    return cast("dict[str, Any]", value)
