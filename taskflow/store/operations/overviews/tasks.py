"""The parts of a registered task's declaration that people read. Triggers use ``registration`` instead."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final, Literal

from pydantic import TypeAdapter
from pydantic_core import from_json

from taskflow.store.operations.operation import Operation

_LONGEST: Final = 4000
"""Most characters of a description."""

TaskKind = Literal["task", "schedule", "webhook"]


@dataclass(frozen=True, slots=True)
class RetryDetails:
    """The retry policy, see ``Retry``."""

    max_attempts: int
    factor: float
    min_delay: timedelta
    max_delay: timedelta
    randomize: bool
    out_of_memory: str | None = None


@dataclass(frozen=True, slots=True)
class TaskDetails:
    """The declaration of a task as a worker has registered it.

    Attributes:
        description: The first 4,000 characters of it.
        hooks: The names of its functions by kind of hook, in the order of their calls; those of all tasks included.
        file: The file of its function, relative to the worker's folder where it is in there.
        events: The types of events of a webhook task; empty: all.
        cron: The expression of a declared schedule; ``every`` its period.
    """

    kind: TaskKind
    description: str
    function: str
    file: str
    line: int
    retry: RetryDetails
    hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    durable: bool = False
    ttl: timedelta | None = None
    max_duration: timedelta | None = None
    tags: tuple[str, ...] = ()
    source: str | None = None
    events: tuple[str, ...] = ()
    cron: str | None = None
    every: timedelta | None = None
    timezone: str | None = None

    def to_json(self) -> str:
        """Return the stored form."""
        return _DETAILS.dump_json(self).decode()


@dataclass(frozen=True, slots=True)
class TaskRecord:
    """A task that workers have registered.

    Attributes:
        class_name: ``<machine>.<executor>``.
        max_attempts: As its triggers use it.
        version: The version of the code that registered it last.
        details: None when only workers of an earlier release have registered it.
        schema: The JSON Schema of its payload; "" for a task without payload, and in lists.
    """

    id: str
    class_name: str
    queue: str
    max_attempts: int
    version: str | None
    details: TaskDetails | None
    schema: str = ""


_DETAILS: Final = TypeAdapter(TaskDetails)


def short_description(text: str) -> str:
    """Return as much of a description as is stored."""
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def read_tasks(task_id: str = "") -> Operation[list[TaskRecord]]:
    """Read the tasks that workers have registered, by id; or one of them with its schema, [] when it is unknown."""

    def read(_: int, value: Any) -> list[TaskRecord]:
        return sorted((_record(*fields) for fields in value), key=lambda task: task.id)

    return Operation("read_tasks", (task_id,), read)


def _record(task_id: bytes, registration: bytes, details: bytes, schema: bytes) -> TaskRecord:
    fields: dict[str, Any] = from_json(registration)
    return TaskRecord(
        id=task_id.decode(),
        class_name=fields["class"],
        queue=fields["queue"],
        max_attempts=int(fields.get("max_attempts", 1)),
        version=fields.get("version"),
        details=_DETAILS.validate_json(details) if details else None,
        schema=schema.decode(),
    )
