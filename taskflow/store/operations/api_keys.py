"""The operations of API keys. The store has their SHA-256, never the keys."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from taskflow.definition.calls.api_keys import ApiKey
from taskflow.errors import ApiKeyError, ApiKeyNotFoundError
from taskflow.seams.waits import Instant
from taskflow.store.operations.encoding import due_text, instant, milliseconds, pairs
from taskflow.store.operations.operation import Operation

_REMEMBERED: Final = timedelta(days=30)
"""For this time the answer to an expired key is that it has expired, later that it is unknown."""


@dataclass(frozen=True, slots=True)
class Rate:
    """So many requests in a period."""

    requests: int
    period: timedelta

    @property
    def period_us(self) -> int:
        """The period in microseconds."""
        return self.period // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class NewApiKey:
    """A key to keep. ``shown`` is the form of it that people see."""

    digest: str
    id: str
    name: str
    shown: str
    expires: Instant | None = None
    is_read_only: bool = False
    rate: Rate | None = None


@dataclass(frozen=True, slots=True)
class CheckedKey:
    """A key that is valid, and its rate after this request.

    Attributes:
        limit: Requests in a period, 0 for no limit.
        remaining: How many of them are left.
        reset_ms: The instant at which all are there again, in Unix milliseconds; of a refused request, at which the
            next one is.
        wait: How long a key must wait that has made too many requests; None when the request is within its rate.
    """

    id: str
    is_read_only: bool
    limit: int = 0
    remaining: int = 0
    reset_ms: int = 0
    wait: timedelta | None = None


def create_api_key(new: NewApiKey) -> Operation[datetime]:
    """Keep a key. Reads as the instant of its creation."""
    rate: tuple[int | str, int | str] = (new.rate.requests, new.rate.period_us) if new.rate else ("", "")
    requests, period_us = rate
    args = (
        new.digest,
        new.id,
        new.name,
        new.shown,
        due_text(new.expires),
        "1" if new.is_read_only else "",
        requests,
        period_us,
        milliseconds(_REMEMBERED),
    )
    return Operation("create_api_key", args, lambda _, value: instant(value))


def check_api_key(digest: str, rate: Rate | None, key_id: str = "") -> Operation[CheckedKey]:
    """Check a key, and take one request from its rate, or from ``rate`` if it has none of its own.

    Args:
        digest: Of the key; "" for the key with the id.

    Raises (when read):
        ApiKeyError: No such key, or it has expired.
    """

    def read(code: int, value: Any) -> CheckedKey:
        if code != 1:
            raise ApiKeyError(value.decode(), is_expired=code == 2)
        key_id, read_only, limit, remaining, reset, wait = value
        waits = timedelta(milliseconds=int(wait)) if int(wait) else None
        return CheckedKey(key_id.decode(), read_only == b"1", int(limit), int(remaining), int(reset), waits)

    args = (digest, rate.requests if rate else 0, rate.period_us if rate else 0, key_id)
    return Operation("check_api_key", args, read)


def list_api_keys() -> Operation[list[ApiKey]]:
    """List all keys, oldest first."""

    def read(_: int, value: Any) -> list[ApiKey]:
        return sorted((_key(pairs(fields)) for fields in value), key=lambda key: (key.created_at, key.id))

    return Operation("list_api_keys", (), read)


def revoke_api_key(key_id: str) -> Operation[None]:
    """Revoke a key.

    Raises (when read):
        ApiKeyNotFoundError: No such key.
    """

    def read(code: int, _: Any) -> None:
        if code == 0:
            raise ApiKeyNotFoundError(key_id)

    return Operation("revoke_api_key", (key_id,), read)


def _key(fields: Mapping[str, bytes]) -> ApiKey:
    rate = None
    if "requests" in fields:
        seconds = timedelta(microseconds=int(fields["period"])).total_seconds()
        rate = f"{int(fields['requests'])}/{seconds:g}s"
    return ApiKey(
        id=fields["id"].decode(),
        name=fields["name"].decode(),
        shown=fields["shown"].decode(),
        created_at=instant(fields["created"]),
        expires_at=instant(fields["expires"]) if "expires" in fields else None,
        last_used_at=instant(fields["used"]) if "used" in fields else None,
        is_read_only="read_only" in fields,
        rate_limit=rate,
    )
