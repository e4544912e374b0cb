"""Locate the part of a value that JSON cannot carry. Called only after serialisation has failed, or may have."""

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, TypeGuard

from pydantic import BaseModel
from pydantic_core import to_json

from taskflow.texts import is_encodable

_DEEPEST: Final = 255  # pydantic-core's own limit
_PLAIN: Final = (str, bytes, bytearray, int, float, bool, type(None))


def path_of(parts: Iterable[int | str]) -> str:
    """Return a JSON path, for example ``$.items[3].file``."""
    path = "$"
    for part in parts:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if part.isidentifier() else f"[{part!r}]"
    return path


def find_unserialisable(value: object) -> str | None:
    """Return the place and type of the first part that pydantic cannot write as JSON, None when all can be.

    Returns:
        E.g. ``"$.items[3].file is of type socket"``.
    """
    try:
        return _find(value, (), frozenset())
    except Exception as error:  # noqa: BLE001 - a part's own code, for example a property __class__, may raise anything
        return f"$ is of type {type(value).__name__}, and its code or that of a part raised {type(error).__name__}"


def find_non_finite(value: object) -> str | None:
    """Return the place and name of the first NaN or infinity, which JSON cannot express.

    Returns:
        E.g. ``"$.ratio is nan"``.
    """
    try:
        for path, leaf in _leaves(value, (), frozenset()):
            if isinstance(leaf, float) and not math.isfinite(leaf):
                return f"{path_of(path)} is {leaf}"
    except Exception:  # noqa: BLE001 - as above
        return None
    return None


_Path = tuple[int | str, ...]


def _find(value: object, path: _Path, above: frozenset[int]) -> str | None:
    if id(value) in above:
        return f"{path_of(path)} contains itself"
    if len(path) > _DEEPEST:
        return f"{path_of(path[:3])} is nested too deeply"
    for part, child in _children(value):
        reason = _find(child, (*path, part), above | {id(value)})
        if reason:
            return reason
    return None if _is_serialisable(value) else f"{path_of(path)} is of type {type(value).__name__}{_reason(value)}"


def _leaves(value: object, path: _Path, above: frozenset[int]) -> Iterator[tuple[_Path, object]]:
    if id(value) in above or len(path) > _DEEPEST:
        return
    is_leaf = True
    for part, child in _children(value):
        is_leaf = False
        yield from _leaves(child, (*path, part), above | {id(value)})
    if is_leaf:
        yield path, value


def _children(value: object) -> Iterator[tuple[int | str, object]]:
    if isinstance(value, _PLAIN):
        return
    if isinstance(value, BaseModel):
        yield from value  # pairs of field name and value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        yield from ((field.name, getattr(value, field.name, None)) for field in dataclasses.fields(value))
    elif _is_mapping(value):
        yield from ((str(key), child) for key, child in value.items())
    elif _is_collection(value):
        yield from enumerate(value)


def _is_mapping(value: object) -> TypeGuard[Mapping[object, object]]:
    return isinstance(value, Mapping)


def _is_collection(value: object) -> TypeGuard[Iterable[object]]:
    return isinstance(value, list | tuple | AbstractSet)


def _is_serialisable(value: object) -> bool:
    try:
        to_json(value)
    except Exception:  # noqa: BLE001 - a serializer of the user's own may raise anything
        return False
    return True


def _reason(value: object) -> str:
    if isinstance(value, bytes | bytearray):
        return " and not UTF-8 text"
    if isinstance(value, str):
        return " with a lone surrogate"
    is_key = _is_mapping(value) and not all(is_encodable(key) for key in value if isinstance(key, str))
    return " with a key that holds a lone surrogate" if is_key else ""
