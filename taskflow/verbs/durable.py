"""``durable``: time, random numbers and UUIDs that stay the same when a durable run's code is replayed."""

import os
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar, cast
from uuid import UUID

from taskflow import clock
from taskflow.seams.journal_keys import Scope, current_scope

ValueT = TypeVar("ValueT")
_BITS: Final = 53
"""Bits of a float's mantissa, as in ``random.random``."""


class Durable:
    """Journaled values, in ``def`` and ``async def`` tasks alike. Elsewhere, and within steps, nothing is journaled."""

    def now(self) -> datetime:
        """Return the aware UTC time at which the run first made this call."""
        return datetime.fromisoformat(_value("now", lambda _: clock.now().isoformat()))

    def random(self) -> float:
        """Return a number in [0, 1), derived from the run's id and the place of the call. It is not secret."""
        return _value("random", lambda seed: (int.from_bytes(seed[:7]) >> (56 - _BITS)) / (1 << _BITS))

    def uuid4(self) -> UUID:
        """Return a UUID derived from the run's id and the place of the call, for example as a key for another API."""
        return UUID(_value("uuid4", lambda seed: str(UUID(bytes=seed[:16], version=4))))


def _value(name: str, make: Callable[[bytes], ValueT]) -> ValueT:
    scope = current_scope()
    if isinstance(scope, Scope):
        return cast("ValueT", scope.journaling.value(scope, f"durable.{name}", make))
    return make(os.urandom(32))


durable: Final = Durable()
