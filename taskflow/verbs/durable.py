"""``durable``: the time and chance, as a durable run may use them: the same again when its code is replayed."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar, cast
from uuid import UUID

from taskflow.seams.journal_keys import Scope, current_scope

ValueT = TypeVar("ValueT")
_BITS: Final = 53
"""Of a float's mantissa, as in ``random.random``."""


class Durable:
    """Journaled helpers, in ``def`` and ``async def`` tasks alike. Elsewhere, and within steps, nothing is kept."""

    def now(self) -> datetime:
        """Return the time at which the run came here first, aware, UTC."""
        return datetime.fromisoformat(_value("now", lambda _: datetime.now(UTC).isoformat()))

    def random(self) -> float:
        """Return a number in [0, 1). It follows from the run's id and the place of the call; no secret."""
        return _value("random", lambda seed: (int.from_bytes(seed[:7]) >> (56 - _BITS)) / (1 << _BITS))

    def uuid4(self) -> UUID:
        """Return a random UUID, which follows from the run's id and the place of the call: a key for others' APIs."""
        return UUID(_value("uuid4", lambda seed: str(UUID(bytes=seed[:16], version=4))))


def _value(name: str, make: Callable[[bytes], ValueT]) -> ValueT:
    scope = current_scope()
    if isinstance(scope, Scope):
        return cast("ValueT", scope.journaling.value(scope, f"durable.{name}", make))
    return make(os.urandom(32))


durable: Final = Durable()
