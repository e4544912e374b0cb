"""The part of a task's declaration that makes it a webhook task: source, filter and limit of the body."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final, cast

from taskflow.definition.webhooks.source import Source
from taskflow.errors import DefinitionError

DEFAULT_MAX_BODY: Final = "1MB"
LARGEST_BODY: Final = 100_000_000
_SIZE: Final = re.compile(r"([0-9]{1,9}) ?(B|KB|MB|KIB|MIB)")
_UNITS: Final = {"B": 1, "KB": 1000, "MB": 1_000_000, "KIB": 1024, "MIB": 1024 * 1024}


@dataclass(frozen=True, slots=True)
class WebhookDeclaration:
    """A source with the events of it that make runs.

    Attributes:
        events: Types of events; ``*`` stands for any text. Empty: all.
        max_body: Most bytes of a body.
    """

    source: Source
    events: tuple[str, ...]
    max_body: int

    def takes(self, event_types: Sequence[str]) -> bool:
        """Whether an event, which may have more general types, is one to make a run of."""
        return not self.events or any(fnmatchcase(each, wanted) for each in event_types for wanted in self.events)


def declare_webhook(source: object, events: str | Sequence[str], max_body: int | str) -> WebhookDeclaration:
    """Return the checked declaration.

    Raises:
        DefinitionError: One of the options is not possible.
    """
    if not isinstance(source, Source):
        remedy = "Use one of webhooks, for example webhooks.Stripe(secret=...)."
        raise DefinitionError(
            "A webhook task needs a source", option="source", value=type(source).__name__, remedy=remedy
        )
    listed = (events,) if isinstance(events, str) else tuple(cast("Sequence[object]", events))
    if not all(isinstance(each, str) and each for each in listed):
        remedy = 'Write their types: ["invoice.paid", "customer.*"].'
        raise DefinitionError("A webhook's events are texts", option="events", value=events, remedy=remedy)
    return WebhookDeclaration(source, tuple(map(str, listed)), _bytes(max_body))


def _bytes(given: object) -> int:
    match = _SIZE.fullmatch(given.upper()) if isinstance(given, str) else None
    size = int(match[1]) * _UNITS[match[2]] if match else given
    if isinstance(size, int) and not isinstance(size, bool) and 1 <= size <= LARGEST_BODY:
        return size
    remedy = f'Use a number of bytes up to {LARGEST_BODY:,}, or text such as "500KB" or "25MB".'
    raise DefinitionError("That is no size of a body", option="max_body", value=given, remedy=remedy)
