"""The root of the errors, their pickling, and the form of values in their messages."""

from collections.abc import Mapping
from typing import Final, cast

_LONGEST_VALUE: Final = 200


class TaskflowError(Exception):
    """Catch everything that taskflow raises."""

    def __reduce__(self) -> tuple[object, ...]:
        return as_it_is(self)


def as_it_is(error: BaseException) -> tuple[object, ...]:
    """Return how an error is pickled and copied: its message and attributes, without a call of its constructor.

    Python's default would pass the message to the constructor, which takes other arguments.
    """
    return _blank, (type(error),), {**vars(error), "args": error.args}


def _blank(kind: type[BaseException]) -> BaseException:
    """Make an error without message and attributes.

    Python makes an OSError by ``OSError.__new__`` only, which is not the first one of a class that is a ValueError too.
    """
    return OSError.__new__(kind) if issubclass(kind, OSError) else kind.__new__(kind)


def rebuilt(kind: type["TaskflowError"], message: str, facts: Mapping[str, object]) -> "TaskflowError":
    """Return an error with a message and attributes, without a call of its constructor."""
    error = cast("TaskflowError", _blank(kind))
    error.args = (message,)
    vars(error).update(facts)
    return error


def is_kind(error: BaseException, kinds: type[BaseException] | tuple[type[BaseException], ...]) -> bool:
    """Whether an exception is of one of these kinds. Unlike ``isinstance`` it calls no code of its class."""
    return issubclass(type(error), kinds)


def shown(value: object) -> str:
    """Return the text of a value for a message, cut to 200 characters; of one that can't be shown, its type."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - its own __repr__ is user code; an integer may have too many digits
        text = f"a value of type {type(value).__name__}"
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def id_shown(given: object) -> str:
    """Return an id for a message: as it is if it can be printed, else as ``shown`` shows it."""
    if isinstance(given, str) and len(given) <= _LONGEST_VALUE and given.isprintable():
        return given
    return shown(given)
