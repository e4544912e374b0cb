"""Checked arguments of the verbs of tokens."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.definition.calls.tokens import TokenStatus
from taskflow.seams.waits import Instant


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
