"""The payload that the arguments of a call of a Celery task make, for tasks with one payload and with parameters."""

import inspect
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any, cast

from taskflow.definition.documents.payload import PayloadType
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import PayloadError


def payload_of(definition: TaskDefinition, args: Sequence[Any], kwargs: Mapping[str, Any]) -> object:
    """Return the payload: the parameters' values, or the one argument, else the payload's fields by order and by name.

    Raises:
        PayloadError: The arguments do not fit.
    """
    count = len(args) + len(kwargs)
    if definition.payload is None:
        if count == 0 or (count == 1 and [*args, *kwargs.values()] == [None]):
            return None
        raise PayloadError(definition.id, f"the task takes none, and the message has {_arguments(count)}.")
    if definition.parameters is not None:
        return definition.bind(args, kwargs)
    refused: PayloadError | None = None
    for candidate in _candidates(definition, definition.payload, args, kwargs):
        try:
            definition.payload.dump(candidate)
        except PayloadError as error:
            refused = refused or error
        else:
            return candidate
    raise refused or PayloadError(
        definition.id,
        f"a task takes one payload, and the message has {_arguments(count)} that do not fill its fields. In a chain or "
        "chord the payload is the result before: give the signature no arguments of its own, or make it immutable with "
        ".si(payload).",
    )


def as_given(args: Sequence[Any], kwargs: Mapping[str, Any]) -> object:
    """Return arguments that fit no payload as a run shows them."""
    if len(args) == 1 and not kwargs:
        return args[0]
    return kwargs if not args else {"args": args, "kwargs": kwargs}


def _candidates(
    definition: TaskDefinition, payload: PayloadType, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> Iterator[object]:
    if len(args) == 1 and not kwargs:
        yield args[0]
    if not args and not kwargs:
        yield None
    if len(kwargs) == 1 and not args and _parameter(definition) in kwargs:
        yield kwargs[_parameter(definition)]
    fields, is_list = _shape(payload)
    filled = dict(zip(fields, args, strict=False)) | dict(kwargs)
    if fields and len(filled) == len(args) + len(kwargs):
        yield filled
    if kwargs and not args and not fields:
        yield dict(kwargs)
    if is_list and len(args) > 1 and not kwargs:
        yield list(args)
    if len(kwargs) == 1 and not args:
        yield next(iter(kwargs.values()))


def _parameter(definition: TaskDefinition) -> str:
    """Return the name of the parameter that takes the payload."""
    return next(iter(inspect.signature(definition.function).parameters))


@cache
def _shape(payload: PayloadType) -> tuple[tuple[str, ...], bool]:
    """Return the names of a payload's fields in order, and whether it is a list."""
    schema = cast("Mapping[str, Any]", payload.json_schema())
    reference = schema.get("$ref")
    if isinstance(reference, str):
        schema = cast("Mapping[str, Any]", schema["$defs"][reference.rpartition("/")[2]])
    fields = cast("Mapping[str, object]", schema.get("properties", {}))
    return tuple(fields), bool(schema.get("type") == "array")


def _arguments(count: int) -> str:
    return "1 argument" if count == 1 else f"{count} arguments"
