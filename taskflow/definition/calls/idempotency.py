"""Idempotency keys, which make several triggers one run, and their scopes."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from taskflow.definition.context import Context, current_context
from taskflow.errors import TriggerOptionError
from taskflow.texts import text_fault

LONGEST_KEY: Final = 2048
Scope = Literal["run", "attempt", "global"]
SCOPES: Final[tuple[Scope, ...]] = ("run", "attempt", "global")


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """A key with its scope. Made by ``idempotency_keys.create``.

    Attributes:
        key: The text that the user gave, for people.
        digest: 32 hex digits of SHA-256 over the parts and what the scope adds. Digests are compared, not keys.
    """

    key: str
    digest: str
    scope: Scope = "run"

    def __str__(self) -> str:
        return self.key


class IdempotencyKeys:
    """The maker of keys whose scope is not the default one."""

    def create(self, key: str | Sequence[str], *, scope: Scope = "run") -> IdempotencyKey:
        """Return a key.

        Args:
            key: Text, or several parts of one: ``["invoice", order_id]`` is never the same as ``"invoice-1"``.
            scope: ``"run"``: one for the run in which it is made. ``"attempt"``: one for each of its attempts.
                ``"global"``: one for all. Outside of a run every scope is global.

        Raises:
            TriggerOptionError: The key is not text of 1 to 2048 characters in all, or the scope does not exist.
        """
        parts = [key] if isinstance(key, str) else list(key)
        if scope not in SCOPES:
            raise TriggerOptionError("idempotency_key", scope, 'The scope is "run", "attempt" or "global".')
        is_text = all(isinstance(part, str) for part in parts)  # pyright: ignore[reportUnnecessaryIsInstance]
        if not is_text or not 1 <= sum(map(len, parts)) <= LONGEST_KEY:
            raise TriggerOptionError("idempotency_key", key, f"Use text of 1 to {LONGEST_KEY} characters in all.")
        if fault := text_fault("".join(parts)):
            raise TriggerOptionError("idempotency_key", key, f"{fault}. Use other characters.")
        return IdempotencyKey("-".join(parts), _digest(parts, scope, current_context()), scope)


idempotency_keys: Final = IdempotencyKeys()


def scoped_key(key: str | IdempotencyKey) -> IdempotencyKey:
    """Return the key that a verb was given; plain text has the scope of the run that triggers."""
    return idempotency_keys.create(key) if isinstance(key, str) else key


def _digest(parts: list[str], scope: Scope, context: Context | None) -> str:
    within: list[str | int] = []
    if context is not None and scope != "global":
        within = [context.run.id] if scope == "run" else [context.run.id, context.attempt.number]
    return hashlib.sha256(json.dumps([parts, within]).encode()).hexdigest()[:32]
