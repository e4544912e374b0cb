"""A stand-in for a task whose code is not in this process: ``tasks.trigger("id")`` from another service."""

from typing import NoReturn

from taskflow.definition.documents.payload import OutputType, PayloadType
from taskflow.definition.hook_sets import HookSet
from taskflow.definition.machine import declared_machine
from taskflow.definition.queue import queue_of_task
from taskflow.definition.retry import Retry
from taskflow.definition.signature import read_signature
from taskflow.definition.task_definition import TaskDefinition, check_task_id


def foreign_task(task_id: str) -> TaskDefinition:
    """Return a task that takes any JSON and can be triggered, not called. Workers correct the rest of it.

    Raises:
        DefinitionError: That can't be the id of a task.
    """
    signature = read_signature(_elsewhere, check_task_id(task_id, _elsewhere))
    return TaskDefinition(
        id=task_id,
        function=_elsewhere,
        description="",
        retry=Retry(),
        queue=queue_of_task(task_id, None),
        machine=declared_machine(None),
        executor="process",
        payload=PayloadType(task_id, signature.payload) if signature.payload else None,
        output=OutputType(None),
        wants=(),
        is_async=False,
        tags=(),
        ttl=None,
        max_duration=None,
        module=__name__,
        qualname=task_id,
        source_file="",
        source_line=0,
        hooks=HookSet(f"task {task_id!r}", None),
    )


def _elsewhere(payload: object) -> NoReturn:
    raise NotImplementedError("This task's code is not in this process.")
