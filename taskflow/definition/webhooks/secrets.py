"""Secrets of a source: texts, variables of the environment, or a function. No message and no repr shows them."""

import os
from collections.abc import Callable, Sequence
from typing import Final, TypeAlias, cast

from taskflow.errors import DefinitionError

SecretFunction: TypeAlias = Callable[[], str | Sequence[str]]
Secret: TypeAlias = str | Sequence[str] | SecretFunction | None
"""One secret, several that are valid at once (the newest first), a function that returns them, or None: the setting
``TASKFLOW_WEBHOOK_SECRETS`` has them under the task's id."""

MOST: Final = 10
_REMEDY: Final = "Use text, a list of texts, webhooks.env(NAME), a function without parameters, or leave it out."


class Secrets:
    """The secrets of one source, read again for each delivery, so that they can be rotated."""

    __slots__ = ("_given", "is_blocking")

    def __init__(self, given: Secret) -> None:
        """Take secrets without reading them.

        Raises:
            DefinitionError: It is none of the forms of ``Secret``. The message does not show it.
        """
        is_text = isinstance(given, str) or given is None
        if not is_text and not callable(given) and not _are_texts(given):
            raise DefinitionError("A webhook's secret is text", remedy=_REMEDY)
        self._given = given
        self.is_blocking = callable(given) and not isinstance(given, EnvironmentSecrets)

    def read(self, configured: Sequence[str] = ()) -> tuple[str, ...]:
        """Return the secrets that are valid now, without empty ones.

        Args:
            configured: Those that the settings have for the task. They count where the source has none of its own.

        Raises:
            Exception: The function of the secrets raised it, or returned something else.
        """
        given = self._given
        found = configured if given is None else given() if callable(given) else given
        if not isinstance(found, str) and not _are_texts(found):
            raise TypeError(
                f"a function of webhook secrets returned {type(found).__name__}, not text or a list of texts"
            )
        texts = (found,) if isinstance(found, str) else tuple(found)
        return tuple(text for text in texts if text)[:MOST]

    def __repr__(self) -> str:
        return "Secrets(...)"


class EnvironmentSecrets:
    """Variables of the environment that hold secrets."""

    __slots__ = ("names",)

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(names)

    def __call__(self) -> Sequence[str]:
        """Return the values of the variables that are set."""
        return [value for value in map(os.environ.get, self.names) if value]

    def __repr__(self) -> str:
        return f"webhooks.env{self.names!r}"


def env(*names: str) -> EnvironmentSecrets:
    """Take a source's secrets from variables of the environment: the newest first, others while they are rotated.

    They are read at each delivery. A source whose variables are not set refuses all deliveries.

    Raises:
        DefinitionError: No variable is named.
    """
    if not names or not _are_texts(names):
        raise DefinitionError("webhooks.env() names no variable", remedy='Write webhooks.env("STRIPE_WEBHOOK_SECRET").')
    return EnvironmentSecrets(names)


def _are_texts(given: object) -> bool:
    return isinstance(given, list | tuple) and all(isinstance(each, str) for each in cast("Sequence[object]", given))
