"""The registration of workers and of the tasks that they can run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from taskflow.definition.queue import QueueLimits
from taskflow.store.operations.encoding import instant, milliseconds
from taskflow.store.operations.making import limits_json
from taskflow.store.operations.operation import Operation
from taskflow.store.operations.version_names import version_name


@dataclass(frozen=True, slots=True)
class TaskRegistration:
    """The registration of one task, for triggers that do not have its code, and for people.

    Attributes:
        class_name: ``<machine>.<executor>``.
        schema_digest: The digest of the payload's JSON Schema, "" for a task without payload.
        version: The version of the code that registered it last, None when it is unknown.
        code: The code of a durable task, as its journals name it.
    """

    id: str
    class_name: str
    queue: str
    limits: QueueLimits
    max_attempts: int
    ttl: timedelta | None
    max_duration: timedelta | None
    tags: tuple[str, ...]
    schema_digest: str
    version: str | None
    code: str | None = None

    def to_json(self) -> str:
        """Return the stored form. Durations are milliseconds; numbers are text, as in a run's hash."""
        fields: dict[str, object | None] = {
            "class": self.class_name,
            "queue": self.queue,
            "limits": json.loads(limits_json(self.limits) or "null"),
            "max_attempts": str(self.max_attempts),
            "ttl": self.ttl and str(milliseconds(self.ttl)),
            "max_duration": self.max_duration and str(milliseconds(self.max_duration)),
            "tags": list(self.tags) or None,
            "schema": self.schema_digest or None,
            "version": self.version,
            "code": self.code,
            "prefers": version_name(self.version) if self.version and self.code else None,
        }
        return json.dumps({name: value for name, value in fields.items() if value is not None})


@dataclass(frozen=True, slots=True)
class RegisteredTask:
    """A task that some worker has registered."""

    id: str
    queue: str
    class_name: str
    version: str | None
    schema_digest: str


@dataclass(frozen=True, slots=True)
class RegisteredWorker:
    """A node that holds a lease. ``queues`` are the Celery queues it consumes, none while it drains.

    Attributes:
        faults: The tasks that its code declares and it cannot serve, with the reasons.
    """

    id: str
    queues: tuple[str, ...]
    concurrency: int
    version: str | None
    since: datetime
    faults: Mapping[str, str] = field(default_factory=dict[str, str])
    zones: str = ""
    """The version of its time zone data."""


@dataclass(frozen=True, slots=True)
class Registrations:
    """The nodes that are up, and every task that workers have registered."""

    workers: tuple[RegisteredWorker, ...]
    tasks: tuple[RegisteredTask, ...]


def read_workers() -> Operation[Registrations]:
    """Read which nodes are up and which tasks workers have registered."""

    def read(_: int, value: Any) -> Registrations:
        nodes, tasks = value
        return Registrations(
            tuple(sorted((_worker(*fields) for fields in nodes), key=lambda worker: worker.id)),
            tuple(sorted((_task(*fields) for fields in tasks), key=lambda task: task.id)),
        )

    return Operation("read_workers", (), read)


def read_schemas() -> Operation[dict[str, str]]:
    """Read the JSON Schema of the payload of each registered task; "" for a task without payload."""
    return Operation("read_schemas", (), lambda _, value: {task.decode(): schema.decode() for task, schema in value})


def _worker(node_id: bytes, queues: bytes, description: bytes, since: bytes) -> RegisteredWorker:
    described = json.loads(description)
    return RegisteredWorker(
        id=node_id.decode(),
        queues=tuple(json.loads(queues)),
        concurrency=int(described.get("concurrency", 0)),
        version=described.get("version"),
        since=instant(since),
        faults=described.get("faults", {}),
        zones=described.get("zones", ""),
    )


def _task(task_id: bytes, stored: bytes) -> RegisteredTask:
    fields = json.loads(stored)
    return RegisteredTask(
        task_id.decode(), fields["queue"], fields["class"], fields.get("version"), str(fields.get("schema", ""))
    )
