"""The engine behind ``taskflow keys`` and the server's check of keys. Keys are on the first shard."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from taskflow.definition.calls.api_keys import LONGEST_NAME, ApiKey, digest_of, new_api_key, shown_key
from taskflow.definition.queue import parse_rate
from taskflow.durations import Duration, check_instant, parse_duration
from taskflow.engine.loops import Loop
from taskflow.errors import DefinitionError
from taskflow.store.operations.api_keys import (
    CheckedKey,
    NewApiKey,
    Rate,
    check_api_key,
    create_api_key,
    list_api_keys,
    revoke_api_key,
)
from taskflow.store.sync_store import Store
from taskflow.texts import text_fault


class ApiKeyEngine:
    """Makes, lists, revokes and checks API keys."""

    def __init__(self, store: Store, loop: Callable[[], Loop]) -> None:
        self._store, self._loop = store, loop

    def create(
        self,
        name: str,
        *,
        expires: Duration | datetime | None = None,
        is_read_only: bool = False,
        rate_limit: str | None = None,
    ) -> tuple[str, str]:
        """Make a key and return its id and the key, which nothing can show again.

        Args:
            expires: How long it is valid, or until which aware instant; None: until it is revoked.
            rate_limit: ``"100/m"``; None: the server's.

        Raises:
            DefinitionError: The name, the duration or the rate is not possible.
        """
        if not 1 <= len(name) <= LONGEST_NAME or text_fault(name):
            raise DefinitionError(
                "That can't name a key", option="name", value=name, remedy=f"Use 1 to {LONGEST_NAME} characters."
            )
        key, key_id = new_api_key(self._store.config.environment), f"key_{secrets.token_hex(8)}"
        new = NewApiKey(
            digest_of(key), key_id, name, shown_key(key), _instant(expires), is_read_only, rate_of(rate_limit)
        )
        self._store.run(create_api_key(new))
        return key_id, key

    def list(self) -> Sequence[ApiKey]:
        """Return all keys, oldest first."""
        return self._store.run(list_api_keys())

    def revoke(self, key_id: str) -> None:
        """Revoke a key: requests with it are refused from now on.

        Raises:
            ApiKeyNotFoundError: No such key.
        """
        self._store.run(revoke_api_key(key_id))

    async def acheck(self, key: str, rate: Rate | None) -> CheckedKey:
        """Check a key, and take one request from its rate, or from ``rate`` if it has none of its own.

        Raises:
            ApiKeyError: No such key in this environment, or it has expired.
        """
        return await self._loop().store.run(check_api_key(digest_of(key), rate))

    async def acheck_id(self, key_id: str, rate: Rate | None) -> CheckedKey:
        """Check the key that has made a public token, and take one request from its rate. See ``acheck``."""
        return await self._loop().store.run(check_api_key("", rate, key_id))


def rate_of(rate_limit: str | None) -> Rate | None:
    """Return a rate of requests, None for no limit.

    Raises:
        DefinitionError: Not ``"<count>/<period>"``.
    """
    count, period = parse_rate(rate_limit)
    return Rate(count, period) if count is not None and period is not None else None


def _instant(expires: Duration | datetime | None) -> timedelta | datetime | None:
    if expires is None:
        return None
    if isinstance(expires, datetime):
        return check_instant(expires, option="expires")
    return parse_duration(expires, option="expires")
