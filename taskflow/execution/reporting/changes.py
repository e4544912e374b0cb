"""Changes of a run's metadata. ``apply`` changes the run's own copy as ``lib/metadata.lua`` changes the store's."""

import sys
from collections.abc import Iterator, Sequence
from typing import Final, Literal, NamedTuple, cast

from pydantic_core import from_json, to_json

from taskflow.definition.documents.readable import unreadable_value
from taskflow.definition.documents.unserialisable import find_non_finite, find_unserialisable
from taskflow.errors import RunUpdateError
from taskflow.errors.base import shown
from taskflow.texts import is_encodable, text_fault

Kind = Literal["set", "delete", "append", "remove", "increment", "replace"]
Json = dict[str, object]
_NAMES: Final = "Use text, or a path of names: $.progress.done"


class Change(NamedTuple):
    """One operation. ``value`` is JSON text; ``path`` is empty for ``replace``."""

    kind: Kind
    path: tuple[str, ...]
    value: str = ""


class Pending:
    """Changes that are to be sent, merged to the fewest. Changes of different top-level names commute."""

    def __init__(self) -> None:
        self._replacement: Change | None = None
        self._by_name: dict[str, list[Change]] = {}

    def __bool__(self) -> bool:
        return bool(self._by_name) or self._replacement is not None

    def __iter__(self) -> Iterator[Change]:
        if self._replacement:
            yield self._replacement
        for changes in self._by_name.values():
            yield from changes

    def add(self, change: Change) -> None:
        """Add a change behind the others."""
        if change.kind == "replace":
            self._by_name.clear()
            self._replacement = change
            return
        before = self._by_name.setdefault(change.path[0], [])
        if len(change.path) == 1 and change.kind in ("set", "delete"):
            before.clear()
        if before and change.kind == "increment" and before[-1][:2] == change[:2]:
            total = from_json(before[-1].value) + from_json(change.value)
            if is_finite(total):
                before[-1] = change._replace(value=json_of(total))
                return
        before.append(change)


def path_of(key: object) -> tuple[str, ...]:
    """Return the names of a key: ``"a.b"`` is one name, ``"$.a.b"`` are two.

    Raises:
        RunUpdateError: The key is not text, or a name in it is empty.
    """
    if not isinstance(key, str):
        raise RunUpdateError(f"That is not a metadata key: {shown(key)}", f"{_NAMES}.")
    path = tuple(key[2:].split(".")) if key.startswith("$.") else (key,)
    if not is_encodable(key):
        raise RunUpdateError(f"That is not a metadata key: {shown(key)}", f"{text_fault(key)}. {_NAMES}.")
    if not all(path):
        raise RunUpdateError(f"A name of the metadata key {shown(key)} is empty", f"{_NAMES}.")
    return path


def json_of(value: object) -> str:
    """Return a value as JSON text: what pydantic can write, models and dates too.

    Raises:
        RunUpdateError: It is not JSON.
    """
    try:
        text = to_json(value, inf_nan_mode="constants").decode()
        from_json(text, allow_inf_nan=False)
    except Exception as error:  # noqa: BLE001 - the value's own code may raise anything
        reason = find_unserialisable(value) or find_non_finite(value) or unreadable_value(value) or type(error).__name__
        raise RunUpdateError(f"A {type(value).__name__} can't be metadata: {reason}", "Use JSON values.") from None
    return text


def number_of(value: object) -> str:
    """Return an amount as JSON text.

    Raises:
        RunUpdateError: It is not a finite number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not is_finite(value):
        raise RunUpdateError(f"Metadata can't be incremented by {shown(value)}", "Use a finite number.")
    return json_of(value)


def is_finite(number: float) -> bool:
    """Whether a number is one that a float can hold, as the numbers of the store's metadata are."""
    return abs(number) <= sys.float_info.max


def apply(metadata: Json, change: Change) -> bool:
    """Change metadata in place. Returns False, and changes nothing, when the change does not fit what is there."""
    if change.kind == "replace":
        metadata.clear()
        metadata.update(from_json(change.value))
        return True
    place = _parent_of(metadata, change)
    if place is None:
        return change.kind in ("delete", "remove") and not _is_blocked(metadata, change.path)
    return _act(place, change)


def _parent_of(metadata: Json, change: Change) -> Json | None:
    """Return the object that holds a path's last name. A missing one is made for a change that puts a value there."""
    is_removal = change.kind in ("delete", "remove")
    if _is_blocked(metadata, change.path) or (change.kind == "increment" and not _is_number(metadata, change.path)):
        return None
    place: Json | None = metadata
    for name in change.path[:-1]:
        if place is not None:
            place = _object(place.get(name) if is_removal else place.setdefault(name, {}))
    return place


def _is_blocked(metadata: Json, path: Sequence[str]) -> bool:
    """Whether one of the values on the way to a path's last name exists and is not an object."""
    place: Json | None = metadata
    for name in path[:-1]:
        if place is None or name not in place:
            return place is None
        place = _object(place[name])
    return place is None


def _is_number(metadata: Json, path: Sequence[str]) -> bool:
    """Whether a path has a number or no value. The path must not be blocked."""
    place: Json | None = metadata
    for name in path[:-1]:
        place = _object(place.get(name)) if place else None
    value = place.get(path[-1], 0) if place else 0
    return isinstance(value, int | float) and not isinstance(value, bool)


def _object(value: object) -> Json | None:
    return cast("Json", value) if isinstance(value, dict) else None


def _act(place: Json, change: Change) -> bool:
    name, old = change.path[-1], place.get(change.path[-1])
    is_there = name in place
    value: object = from_json(change.value) if change.value else None
    match change.kind:
        case "set":
            place[name] = value
        case "delete":
            place.pop(name, None)
        case "append":
            place[name] = [*cast("list[object]", old), value] if isinstance(old, list) else [*([old] * is_there), value]
        case "remove":
            if is_there and not isinstance(old, list):
                return False
            if is_there:
                place[name] = [each for each in cast("list[object]", old) if json_of(each) != change.value]
        case _:
            total = cast("float", old or 0) + cast("float", value)
            if not is_finite(total):
                return False
            place[name] = total
    return True
