"""Integers of very many digits and very deep nesting, which JSON allows and its readers refuse.

``unreadable`` finds them before a document is written, ``read_json`` reads a stored document that holds one.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Final, cast

from pydantic_core import from_json, to_json, to_jsonable_python

from taskflow.definition.documents.unserialisable import path_of

MOST_DIGITS: Final = 4300
"""Most digits of an integer: the bound of Python's ``int(text)`` and of pydantic."""
SHORT: Final = 200
"""No document of so few bytes is unreadable."""
DEEPEST: Final = 200
"""Most arrays and objects within each other: the bound of pydantic's parser."""
_TOO_LARGE: Final = 10**MOST_DIGITS
_FEWEST_BITS: Final = _TOO_LARGE.bit_length()


def unreadable(document: bytes) -> str | None:
    """Return what makes a document unreadable, None for one that can be read.

    It is cheap: only a document that may hold such a part is parsed. An integer of so many digits covers one of the
    places that are looked at.
    """
    if len(document) <= SHORT or not (_may_hold_huge_integer(document) or _may_be_deep(document)):
        return None
    try:
        from_json(document)
    except ValueError as error:
        if "recursion" in str(error):
            return f"it is nested more than {DEEPEST} deep"
        return f"it holds an integer of more than {MOST_DIGITS:,} digits"
    return None


def unreadable_value(value: object) -> str | None:
    """Return the place and reason of a part that makes the JSON of a value unreadable, None where it has no JSON."""
    try:
        plain = to_jsonable_python(value, by_alias=False, inf_nan_mode="constants")
        return find_unreadable(plain) or unreadable(to_json(plain))
    except Exception:  # noqa: BLE001 - the value's own code may raise anything
        return None


def _may_hold_huge_integer(document: bytes) -> bool:
    return any(48 <= sign <= 57 for sign in document[MOST_DIGITS - 1 :: MOST_DIGITS])


def _may_be_deep(document: bytes) -> bool:
    return document.count(b"[") + document.count(b"{") > DEEPEST


def read_json(document: bytes | str) -> object:
    """Return the value of a stored document, whatever stands in it. A text in its place shows what no reader takes.

    ``"(an integer of 5,000 digits)"`` stands for such an integer, and the document's first characters for one that is
    nested too deeply: one value must not keep the others from being read.
    """
    try:
        return from_json(document)
    except ValueError:
        pass
    try:
        return json.loads(document, parse_int=_bounded_integer)
    except (ValueError, RecursionError):
        text = document.decode(errors="replace") if isinstance(document, bytes) else document
        return f"(a JSON document that can't be read: {text[:SHORT]}{'...' if len(text) > SHORT else ''})"


def read_object(document: bytes | str) -> dict[str, object]:
    """Return the object of a stored document. What is none stands under the name ``unreadable``."""
    value = read_json(document)
    return cast("dict[str, object]", value) if isinstance(value, dict) else {"unreadable": value}


def find_unreadable(value: object) -> str | None:
    """Return the place and reason of the first part of plain data whose JSON no reader takes, None for none.

    Returns:
        E.g. ``"$.items[3] is an integer of more than 4,300 digits"``.
    """
    stack: list[tuple[tuple[int | str, ...], object]] = [((), value)]
    while stack:
        path, part = stack.pop()
        if isinstance(part, int) and int.bit_length(part) >= _FEWEST_BITS and abs(part) >= _TOO_LARGE:
            return f"{path_of(path)} is an integer of more than {MOST_DIGITS:,} digits"
        if len(path) > DEEPEST:
            return f"{path_of(path[:3])} is nested more than {DEEPEST} deep"
        if isinstance(part, Mapping):
            stack += [((*path, str(name)), each) for name, each in cast("Mapping[object, object]", part).items()]
        elif isinstance(part, list | tuple):
            stack += [((*path, index), each) for index, each in enumerate(cast("Sequence[object]", part))]
    return None


def _bounded_integer(digits: str) -> int | str:
    count = len(digits.lstrip("-"))
    return int(digits) if count <= MOST_DIGITS else f"(an integer of {count:,} digits)"
