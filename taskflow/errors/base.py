"""The root of the errors, and how values are shown in their messages."""

from typing import Final

_LONGEST_VALUE: Final = 200


class TaskflowError(Exception):
    """Catch everything that taskflow raises."""


def shown(value: object) -> str:
    """Return a value as a message names it, cut to 200 characters."""
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
