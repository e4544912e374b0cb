"""Find in a JSON document what was written and no reader takes: an integer of very many digits, very deep nesting."""

from typing import Final

from pydantic_core import from_json, to_json

MOST_DIGITS: Final = 4300
"""Most digits of an integer: the bound of Python's ``int(text)`` and of pydantic."""
SHORT: Final = 200
"""No document of so few bytes is unreadable."""
DEEPEST: Final = 200
"""Most arrays and objects within each other: the bound of pydantic's parser."""


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
    """Return ``unreadable``'s reason for the JSON of a value, None where it has no JSON."""
    try:
        return unreadable(to_json(value, inf_nan_mode="constants"))
    except Exception:  # noqa: BLE001 - the value's own code may raise anything
        return None


def _may_hold_huge_integer(document: bytes) -> bool:
    return any(48 <= sign <= 57 for sign in document[MOST_DIGITS - 1 :: MOST_DIGITS])


def _may_be_deep(document: bytes) -> bool:
    return document.count(b"[") + document.count(b"{") > DEEPEST
