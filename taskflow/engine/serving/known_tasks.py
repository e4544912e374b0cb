"""The tasks of an environment with their schemas, as workers have registered them, or as this process declares them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from taskflow.definition.calls.known_task import NO_PAYLOAD, KnownTask
from taskflow.definition.registry import Registry
from taskflow.definition.task_definition import TaskDefinition
from taskflow.engine.nodes import NodeEngine
from taskflow.errors import TaskflowError
from taskflow.store.operations.overviews.tasks import TaskRecord


class TaskOverview:
    """Lists tasks. Where a worker has registered a task, that counts: it is the code that will execute the run."""

    def __init__(self, nodes: NodeEngine, registry: Registry) -> None:
        self._nodes, self._registry = nodes, registry

    async def alist(self) -> Sequence[KnownTask]:
        """Return all tasks, by id."""
        records, schemas = await asyncio.gather(self._nodes.atasks(), asyncio.to_thread(self._nodes.schemas))
        found = {task.id: _declared(task) for task in self._registry}
        found |= {record.id: _registered(record, schemas.get(record.id, "")) for record in records}
        return [found[task_id] for task_id in sorted(found)]

    async def aretrieve(self, task_id: str) -> KnownTask | None:
        """Return one task, None for one that neither a worker nor this process knows."""
        record = await self._nodes.atask(task_id)
        if record is not None:
            return _registered(record, record.schema)
        return _declared(self._registry.get(task_id)) if task_id in self._registry else None


def _registered(record: TaskRecord, schema: str) -> KnownTask:
    details = record.details
    return KnownTask(
        id=record.id,
        kind=details.kind if details else "task",
        description=details.description if details else "",
        queue=record.queue,
        class_name=record.class_name,
        max_attempts=record.max_attempts,
        version=record.version,
        cron=details.cron if details else None,
        every=details.every.total_seconds() if details and details.every else None,
        timezone=details.timezone if details else None,
        schema=json.loads(schema) if schema else NO_PAYLOAD,
    )


def _declared(task: TaskDefinition) -> KnownTask:
    return KnownTask(
        id=task.id,
        kind="webhook" if task.webhook else "schedule" if task.schedule else "task",
        description=task.description,
        queue=task.queue_name,
        class_name=task.class_name,
        max_attempts=task.retry.max_attempts,
        is_registered=False,
        schema=_schema_of(task),
    )


def _schema_of(task: TaskDefinition) -> Mapping[str, Any] | None:
    if task.payload is None:
        return NO_PAYLOAD
    try:
        return task.payload.json_schema()
    except TaskflowError:  # such a task can't be served, which `taskflow doctor` reports
        return None
