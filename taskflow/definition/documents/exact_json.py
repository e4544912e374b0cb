"""JSON as values whose numbers are the digits that were written, and back on one line."""

import json
from typing import Any, TypeGuard


class Digits(str):
    """A number as it is written in the document."""

    __slots__ = ()


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether a value of a document is an object."""
    return isinstance(value, dict)


def is_array(value: object) -> TypeGuard[list[Any]]:
    """Whether a value of a document is an array."""
    return isinstance(value, list)


def read_exactly(text: str | bytes) -> object:
    """Return the value of a JSON text. ``NaN`` and the infinities are digits, too.

    Raises:
        ValueError: It is not JSON.
        RecursionError: It is too deep.
    """
    value: object = json.loads(text, parse_int=Digits, parse_float=Digits, parse_constant=Digits)
    return value


def quoted(value: object) -> str:
    """Return a scalar as JSON. A lone surrogate is written as its escape, because UTF-8 has none."""
    if isinstance(value, Digits):
        return str(value)
    text = json.dumps(value, ensure_ascii=False)
    return json.dumps(value) if any("\ud800" <= sign <= "\udfff" for sign in text) else text


def compact(value: object) -> str:
    """Return a document on one line."""
    if is_object(value):
        members = value.items()
        return "{" + ", ".join(f"{quoted(key)}: {compact(each)}" for key, each in members) + "}"
    if is_array(value):
        return "[" + ", ".join(map(compact, value)) + "]"
    return quoted(value)
