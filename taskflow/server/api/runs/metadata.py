"""Metadata operations on the wire, and as the store takes them. No I/O."""

from collections.abc import Sequence
from typing import Final, Literal, cast

from pydantic_core import to_json

from taskflow.definition.calls.trigger_options import check_metadata
from taskflow.server.api.wire import AnyJson, Text, Wire
from taskflow.server.problems import Problem
from taskflow.store.operations.updates import MetadataChange

_PATH: Final = "$."
_MOST: Final = 1000
_DEEPEST: Final = 50


class MetadataOperation(Wire):
    """One change. A key that begins with ``$.`` is a path of names."""

    type: Literal["set", "delete", "append", "remove", "increment", "update"]
    key: Text | None = None
    value: AnyJson = None


class MetadataBody(Wire):
    """New metadata, or changes of it, of its parent's and of its root's."""

    metadata: dict[str, AnyJson] | None = None
    operations: list[MetadataOperation] | None = None
    parent_operations: list[MetadataOperation] | None = None
    root_operations: list[MetadataOperation] | None = None


def changes(operations: Sequence[MetadataOperation] | None) -> list[MetadataChange]:
    """Return operations as the store takes them.

    Raises:
        Problem: 400: one has no key, or a value of another type.
    """
    if operations and len(operations) > _MOST:
        raise Problem(400, "invalid_body", f"At most {_MOST:,} operations at once.")
    return [_change(operation) for operation in operations or ()]


def replacement(metadata: dict[str, object]) -> MetadataChange:
    """Return the change that replaces all metadata.

    Raises:
        TriggerOptionError: It is too large, or JSON cannot carry it.
    """
    return "replace", (), (check_metadata(metadata) or b"{}").decode()


def _change(operation: MetadataOperation) -> MetadataChange:
    value = operation.value
    if operation.type == "update":
        if not isinstance(value, dict):
            raise Problem(400, "invalid_body", "An update has a value that is an object.")
        return replacement(cast("dict[str, object]", value))
    path = _path(operation.key)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if operation.type == "increment" and not is_number:
        raise Problem(400, "invalid_body", "An increment has a value that is a number.")
    return operation.type, path, "" if operation.type == "delete" else to_json(value).decode()


def _path(key: str | None) -> Sequence[str]:
    names = (key or "").removeprefix(_PATH).split(".") if key and key.startswith(_PATH) else [key or ""]
    if not all(names) or "__proto__" in names or len(names) > _DEEPEST:
        raise Problem(400, "invalid_body", "The key of an operation is a name, or `$.` and names joined by dots.")
    return names
