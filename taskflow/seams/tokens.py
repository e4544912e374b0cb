"""Checked arguments of the verbs of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.definition.calls.tokens import TokenStatus
from taskflow.seams.waits import Instant


class MadeToken(NamedTuple):
    """A token that a verb made, or the older one with the same idempotency key.

    Attributes:
        url: A POST to it completes the token; None without TASKFLOW_PUBLIC_URL.
        public_access_token: Completes it over the API; None without TASKFLOW_PUBLIC_URL.
    """

    id: str
    is_cached: bool
    url: str | None = None
    public_access_token: str | None = None


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """Checked options of a new token."""

    timeout: Instant | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: IdempotencyKey | None = None
    idempotency_key_ttl: timedelta | None = None
    schema: str = ""


@dataclass(frozen=True, slots=True)
class TokenQuery:
    """Checked arguments of a list of tokens."""

    status: TokenStatus | None
    tags: Sequence[str]
    limit: int
    cursor: str | None
