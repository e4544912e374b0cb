"""Payloads as the official client packs them into text, as plain JSON values. No I/O.

A ``payload`` is text and a ``payloadType`` that says how to read it. ``application/super+json`` is SuperJSON:
``{"json": <value>, "meta": {"values": {"<dotted path>": ["<kind>"]}}}``. The kinds name JavaScript types that JSON does
not have; the value in ``json`` is already what JSON can express of them (a date is ISO 8601 text). Only ``undefined``
differs: JSON has no such thing, so a key with it is dropped.
"""

from collections.abc import Iterator, Sequence
from typing import Final, cast

from pydantic_core import from_json

PLAIN_JSON: Final = "application/json"
SUPER_JSON: Final = "application/super+json"
TEXT: Final = "text/plain"
STORED: Final = "application/store"
TYPES: Final = (PLAIN_JSON, SUPER_JSON, TEXT, STORED)
"""The types of packed values."""

_UNDEFINED: Final = "undefined"
_MOST_PATHS: Final = 20_000
_MOST_PARTS: Final = 256


class PackedValueError(ValueError):
    """A packed value is not what its type says. The text is the reason, and holds no part of the value."""


def unpack(packed: object, packed_type: str | None) -> object:
    """Return the JSON value of a packed one.

    Args:
        packed: Text, or plain JSON that was not packed. None for ``undefined``.
        packed_type: Its ``payloadType``; None or ``PLAIN_JSON`` for JSON that is no text within text. Not ``STORED``:
            see ``unpack_stored``.

    Raises:
        PackedValueError: The type is unknown, or the text is not of this type.
    """
    if packed_type == TEXT:
        if packed is not None and not isinstance(packed, str):
            raise PackedValueError("it is not text, though its type is text/plain")
        return packed
    if packed_type == SUPER_JSON:
        return decode(_parsed(packed) if isinstance(packed, str) else packed)
    if packed_type in (PLAIN_JSON, None):
        return packed
    raise PackedValueError(f"its type {str(packed_type)[:100]!r} is unknown; send one of {', '.join(TYPES)}")


def unpack_stored(text: str, content_type: str) -> object:
    """Return the JSON value of a packed text that was uploaded with its type. See ``unpack``."""
    return _parsed(text) if content_type == PLAIN_JSON else unpack(text, content_type)


def decode(document: object) -> object:
    """Return the JSON value of a parsed SuperJSON document.

    Raises:
        PackedValueError: It is not one.
    """
    fields = _object(document)
    if fields is None or "json" not in fields:
        raise PackedValueError('it is no SuperJSON, which is an object with a field "json"')
    value, meta = fields["json"], _object(fields.get("meta"))
    kinds = meta.get("values") if meta else None
    if whole := _list(kinds):  # [kind of the whole value, kinds of its parts]
        if whole[0] == _UNDEFINED:
            return None
        kinds = whole[1] if len(whole) > 1 else None
    for path in _undefined_paths(_object(kinds) or {}, ()):
        _drop(value, path)
    return value


def _parsed(text: str) -> object:
    try:
        return cast("object", from_json(text, allow_inf_nan=False))
    except ValueError as error:
        raise PackedValueError(f"its text is no JSON: {error}") from None


def _object(value: object) -> dict[str, object] | None:
    return cast("dict[str, object]", value) if isinstance(value, dict) else None


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _undefined_paths(kinds: dict[str, object], above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Yield the path of each value that is undefined, as the parts between the dots."""
    if len(kinds) > _MOST_PATHS:
        raise PackedValueError(f"its meta names more than {_MOST_PATHS:,} values")
    for dotted, kind in kinds.items():
        path = (*above, *dotted.replace("\\.", ".").split("."))
        if len(path) > _MOST_PARTS:
            raise PackedValueError(f"its meta names a value under more than {_MOST_PARTS} keys")
        own, *within = _list(kind) or [None]
        if own == _UNDEFINED:
            yield path
        for inner in (own, *within):  # the parts of a set or map, behind its own kind if it has one
            yield from _undefined_paths(_object(inner) or {}, path)


def _drop(value: object, path: Sequence[str]) -> bool:
    """Drop what is at a path; in a list it stays, as null. Returns whether there was such a place.

    A dot within a key looks like one between keys, so that every key that may be meant is tried, shortest first.
    """
    if isinstance(value, list):
        items, first = cast("list[object]", value), path[0]
        if not first.isascii() or not first.isdigit() or int(first) >= len(items):
            return False
        if len(path) > 1:
            return _drop(items[int(first)], path[1:])
        items[int(first)] = None
        return True
    fields = _object(value) or {}
    for length in range(1, len(path) + 1):
        key = ".".join(path[:length])
        if key not in fields:
            continue
        if length < len(path):
            if _drop(fields[key], path[length:]):
                return True
        elif fields[key] is None:
            del fields[key]
            return True
    return False
