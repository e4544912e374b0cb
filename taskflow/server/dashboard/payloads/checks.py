"""The check of a payload before it is sent: pydantic's where this process knows the task, else its JSON Schema."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from taskflow.app import TaskFlow
from taskflow.definition.calls.schema_faults import MOST_FAULTS, schema_faults
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import TaskflowError
from taskflow.server.bodies import json_value
from taskflow.server.dashboard.payloads.documents import DocumentError, parse
from taskflow.server.dashboard.payloads.places import lines_of, path_in
from taskflow.server.task_shapes import task_shapes

_LARGEST_FOR_SCHEMA: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault of a payload, at a path in it. ``line`` and ``column`` count from 1, and are None if not known."""

    path: tuple[str, ...]
    message: str
    line: int | None = None
    column: int | None = None

    @property
    def name(self) -> str:
        """The path in words."""
        return " ".join(self.path) or "payload"


@dataclass(frozen=True, slots=True)
class Target:
    """A task to try: what is known of its payload.

    Attributes:
        definition: The task, if this process declares it.
        schema: Its JSON Schema; None if it takes anything, or nobody knows it.
        is_known: Whether this process or a worker knows the task.
    """

    task_id: str
    definition: TaskDefinition | None
    schema: Mapping[str, Any] | None
    is_known: bool

    @property
    def has_payload(self) -> bool:
        """Whether the task takes a payload."""
        return self.schema is None or self.schema.get("type") != "null"


async def target_of(flow: TaskFlow, task_id: str) -> Target:
    """Return what is known of a task, which may be nothing."""
    shape = (await task_shapes(flow)).get(task_id)
    schema = shape.schema if shape is not None and shape.schema else None
    definition = next((task for task in flow.registry if task.id == task_id), None)
    return Target(task_id, definition, schema, shape is not None)


async def faults_of(target: Target, text: str) -> Sequence[Fault]:
    """Return the faults of a payload, at most 100. Validators are code of users, and run in a thread."""
    return await asyncio.to_thread(_faults_of, target, text)


def _faults_of(target: Target, text: str) -> Sequence[Fault]:
    try:
        document = parse(text)
    except DocumentError as error:
        return [Fault((), f"It is not JSON: {error}", error.line, error.column)]
    try:
        json_value(text.encode())
    except ValueError as error:  # a number or a text that no payload can hold
        return [Fault((), f"It can't be sent: {error}.")]
    found = _by_type(target.definition, text, document) if target.definition else _by_schema(target.schema, text)
    return placed_in(text, [Fault(path, message) for path, message in found[:MOST_FAULTS]])


def placed_in(text: str, faults: Sequence[Fault]) -> Sequence[Fault]:
    """Return faults with their lines in a text."""
    places = lines_of(text, [fault.path[:length] for fault in faults for length in range(len(fault.path) + 1)])
    return [_placed(fault.path, fault.message, places) for fault in faults]


def _placed(path: tuple[str, ...], message: str, places: Mapping[tuple[str, ...], tuple[int, int]]) -> Fault:
    """Return a fault with its line: that of the value, or of the nearest one around it if it is missing."""
    for length in range(len(path), -1, -1):
        if path[:length] in places:
            return Fault(path, message, *places[path[:length]])
    return Fault(path, message)


def _by_type(definition: TaskDefinition, text: str, document: object) -> list[tuple[tuple[str, ...], str]]:
    if definition.payload is None:
        return [] if document is None else [((), "The task takes no payload: it is null.")]
    try:
        definition.payload.prepare().read(text.encode())
    except ValidationError as invalid:
        errors = invalid.errors(include_url=False, include_context=False, include_input=False)[:MOST_FAULTS]
        return [(path_in(document, each["loc"]), each["msg"]) for each in errors]
    except TaskflowError as error:
        return [((), str(error))]
    except Exception as error:  # noqa: BLE001 - a validator is code of users
        return [((), f"The check raised {type(error).__name__}; the trigger would, too.")]
    return []


def _by_schema(schema: Mapping[str, Any] | None, text: str) -> Sequence[tuple[tuple[str, ...], str]]:
    if schema is None or len(text) > _LARGEST_FOR_SCHEMA:
        return []
    try:
        return schema_faults(schema, json.loads(text))
    except (ValueError, RecursionError):  # pydantic reads it, and Python does not: the worker checks it
        return []
