"""Callers: the secret key or public token of a request, and what it may do.

A secret key may do everything in its environment, a read-only one may read. A public token may do what its scopes say.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from starlette.requests import Request

from taskflow.definition.calls.api_keys import is_api_key
from taskflow.errors import ApiKeyError
from taskflow.seams.public_tokens import PublicTokenError, environment_id, looks_like_token, read_token
from taskflow.server.problems import Problem
from taskflow.server.state import ServerState
from taskflow.store.operations.api_keys import CheckedKey

_CHALLENGE: Final = {"www-authenticate": "Bearer"}
_READS: Final = frozenset({"GET", "HEAD"})


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A caller with a secret key."""

    key: CheckedKey

    @property
    def id(self) -> str:
        """The key's id, for the log."""
        return self.key.id


@dataclass(frozen=True, slots=True)
class PublicToken:
    """A caller with a public access token that was verified.

    Attributes:
        id: A short digest of the token, for the log.
        is_one_time: Whether the first accepted trigger or batch spends it.
        skip_columns: Columns left out of realtime rows.
        digest: The SHA-256 of the token, by which a one-time token is remembered.
        key: The API key that made it, from whose rate its requests are taken. None for a token that a worker made.
    """

    id: str
    scopes: tuple[str, ...]
    is_one_time: bool = False
    expires_at: datetime = field(default_factory=lambda: datetime.max.replace(tzinfo=UTC))
    skip_columns: tuple[str, ...] = ()
    digest: str = field(default="", repr=False)
    key: CheckedKey | None = None


@dataclass(frozen=True, slots=True)
class Nobody:
    """A caller of a route that needs no key."""

    id: str = ""
    key: None = None


Caller = SecretKey | PublicToken | Nobody


async def identify(request: Request, server: ServerState) -> Caller:
    """Return the caller of a request whose route needs a key.

    Raises:
        Problem: 401 without a valid key or token; 429 when the key has made too many requests. Those with the
            key's tokens count.
    """
    bearer = _bearer(request)
    if looks_like_token(bearer):
        return await _verified(bearer, server)
    if not is_api_key(bearer):
        raise _unauthenticated("invalid_key", "That is not an API key.")
    try:
        key = await server.flow.engine.api_keys.acheck(bearer, server.rate)
    except ApiKeyError as refused:
        raise _unauthenticated("key_expired" if refused.is_expired else "invalid_key", str(refused)) from None
    if key.wait is not None:
        raise _too_many(key)
    return SecretKey(key)


async def _verified(bearer: str, server: ServerState) -> PublicToken:
    """Return the caller of a public token.

    Raises:
        Problem: 401: it is not one of this environment, or it or its key has expired or was revoked.
    """
    subject = environment_id(server.flow.settings.environment)
    try:
        claims = read_token(bearer, server.flow.server_secret.key("public-tokens"), subject, datetime.now(UTC))
    except PublicTokenError as refused:
        raise _refused(refused) from None
    key = await _key_of(claims.key_id, server) if claims.key_id else None
    digest = hashlib.sha256(bearer.encode()).hexdigest()
    return PublicToken(
        digest[:12], claims.scopes, claims.is_one_time, claims.expires_at, claims.skip_columns, digest, key
    )


async def _key_of(key_id: str, server: ServerState) -> CheckedKey:
    """Return the key that has made a token, after a request from its rate."""
    try:
        key = await server.flow.engine.api_keys.acheck_id(key_id, server.rate)
    except ApiKeyError as refused:
        if refused.is_expired:
            raise _unauthenticated("token_expired", "The API key that made this token has expired.") from None
        raise _unauthenticated("invalid_token", "The API key that made this token was revoked.") from None
    if key.wait is not None:
        raise _too_many(key)
    return key


def check_read_only(caller: Caller, method: str) -> None:
    """Refuse a write with a key that may only read.

    Raises:
        Problem: 403.
    """
    if isinstance(caller, SecretKey) and caller.key.is_read_only and method not in _READS:
        raise Problem(403, "read_only_key", "This API key may only read.", "Use one that was made without --read-only.")


def unauthorized(action: str, resource: str) -> Problem:
    """Return the refusal of a token that lacks a scope."""
    return Problem(
        403,
        "unauthorized",
        f"The token does not allow {action} on {resource}.",
        f"Make one with `{action}:{resource}`.",
    )


def rate_headers(key: CheckedKey) -> Mapping[str, str]:
    """Return the headers about a key's rate."""
    if not key.limit:
        return {}
    return {
        "x-ratelimit-limit": str(key.limit),
        "x-ratelimit-remaining": str(key.remaining),
        "x-ratelimit-reset": str(key.reset_ms),
    }


def _bearer(request: Request) -> str:
    given = request.headers.getlist("authorization")
    scheme, _, bearer = given[0].partition(" ") if len(given) == 1 else ("", "", "")
    if scheme.lower() != "bearer" or not bearer.strip():
        raise _unauthenticated("missing_key", "The request has no API key.")
    return bearer.strip()


def _unauthenticated(code: str, error: str) -> Problem:
    remedy = "Send the header `Authorization: Bearer tr_...`; `taskflow keys create` makes a key."
    return Problem(401, code, error, remedy, headers=_CHALLENGE)


def _too_many(key: CheckedKey) -> Problem:
    seconds = -(-(key.wait.total_seconds() if key.wait else 1) // 1)
    return Problem(
        429,
        "rate_limited",
        f"The API key has made more than {key.limit:,} requests in its period.",
        "Wait as the header retry-after says, or give the key a higher rate.",
        headers={**rate_headers(key), "retry-after": f"{max(1, seconds):.0f}"},
    )


def _refused(error: PublicTokenError) -> Problem:
    if error.is_expired:
        return Problem(401, "token_expired", "The public token has expired.", "Ask for a new one.", headers=_CHALLENGE)
    remedy = (
        "Make tokens with auth.createPublicToken of SDK 4.5.8 or newer: an older one signs them itself, which this "
        "server does not take."
    )
    return Problem(401, "invalid_token", f"The public token is not valid: {error}.", remedy, headers=_CHALLENGE)
