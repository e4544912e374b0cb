"""What the verbs of tokens delegate to. See ``engine``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from taskflow.definition.calls.idempotency import IdempotencyKey
from taskflow.definition.calls.tokens import Token, TokenPage, TokenStatus
from taskflow.seams.waits import Instant, Waiter


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """A token to make, checked."""

    timeout: Instant | None = None
    tags: tuple[str, ...] = ()
    idempotency_key: IdempotencyKey | None = None
    idempotency_key_ttl: timedelta | None = None


@dataclass(frozen=True, slots=True)
class TokenQuery:
    """Which tokens to list, checked."""

    status: TokenStatus | None
    tags: Sequence[str]
    limit: int
    cursor: str | None


class TokenEngine(Protocol):
    """The verbs, each with its async twin."""

    def create(self, options: TokenOptions) -> tuple[str, bool]:
        """Make a token. Returns its id and whether it is an older one with the same idempotency key."""
        ...

    async def acreate(self, options: TokenOptions) -> tuple[str, bool]:
        """Make a token."""
        ...

    def complete(self, token_id: str, output: bytes) -> bool:
        """Complete a token. Returns whether this call did."""
        ...

    async def acomplete(self, token_id: str, output: bytes) -> bool:
        """Complete a token."""
        ...

    def retrieve(self, token_id: str) -> Token:
        """Return a token's record."""
        ...

    async def aretrieve(self, token_id: str) -> Token:
        """Return a token's record."""
        ...

    def list(self, query: TokenQuery) -> TokenPage:
        """Return a page of tokens, newest first."""
        ...

    async def alist(self, query: TokenQuery) -> TokenPage:
        """Return a page of tokens, newest first."""
        ...

    def wait(self, token_id: str, waiter: Waiter) -> datetime | None:
        """Let a token complete the waiter's item. Returns when it times out."""
        ...

    async def await_(self, token_id: str, waiter: Waiter) -> datetime | None:
        """Let a token complete the waiter's item."""
        ...
