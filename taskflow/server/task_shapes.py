"""The payloads of tasks as JSON Schema, so that the document of the API has a typed operation for each task."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from taskflow.app import TaskFlow
from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import TaskflowError

_DEFINITIONS: Final = "$defs"
_INNER: Final = f"#/{_DEFINITIONS}/"
_ROOT: Final = "#/components/schemas/"
_NOTHING: Final[Mapping[str, Any]] = {"type": "null"}


@dataclass(frozen=True, slots=True)
class TaskShape:
    """The payload of a task.

    Attributes:
        schema: Its JSON Schema; None when it is not known, so that any JSON may do.
    """

    schema: Mapping[str, Any] | None
    description: str = ""

    @property
    def needs_payload(self) -> bool:
        """Whether a trigger without payload, which stands for null, may be refused."""
        return self.schema is not None and self.schema.get("type") not in (None, "null")

    def components(self, prefix: str) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """Return the schema and its parts as components of the document, whose names begin with ``prefix``."""
        schema = self.schema or {}
        parts = cast("Mapping[str, Any]", schema.get(_DEFINITIONS, {}))
        own = {name: value for name, value in schema.items() if name != _DEFINITIONS}
        inner = {f"{prefix}.{name}": _moved(part, prefix) for name, part in parts.items()}
        return _moved(own, prefix), inner


async def task_shapes(flow: TaskFlow) -> dict[str, TaskShape]:
    """Return the tasks of this process, and those that workers have registered."""
    registered = await asyncio.to_thread(flow.engine.nodes.schemas)
    shapes = {task_id: TaskShape(json.loads(schema) if schema else _NOTHING) for task_id, schema in registered.items()}
    for task in flow.registry:
        shapes[task.id] = TaskShape(_schema_of(task), task.description or "")
    return shapes


def _schema_of(task: TaskDefinition) -> Mapping[str, Any] | None:
    if task.payload is None:
        return _NOTHING
    try:
        return task.payload.json_schema()
    except TaskflowError:  # such a task can't be served, which `taskflow doctor` reports
        return None


def _moved(part: object, prefix: str) -> Any:
    """Return a schema whose references to its own parts are to components."""
    if isinstance(part, list):
        return [_moved(each, prefix) for each in cast("list[object]", part)]
    if not isinstance(part, dict):
        return part
    moved = {name: _moved(value, prefix) for name, value in cast("dict[str, Any]", part).items()}
    if "$ref" in moved:
        moved["$ref"] = _reference(moved["$ref"], prefix)
    discriminator = moved.get("discriminator")
    if isinstance(discriminator, dict) and "mapping" in discriminator:
        mapping = cast("dict[str, Any]", discriminator["mapping"])
        discriminator["mapping"] = {tag: _reference(reference, prefix) for tag, reference in mapping.items()}
    return moved


def _reference(reference: object, prefix: str) -> object:
    if isinstance(reference, str) and reference.startswith(_INNER):
        return f"{_ROOT}{prefix}.{reference.removeprefix(_INNER)}"
    return reference
