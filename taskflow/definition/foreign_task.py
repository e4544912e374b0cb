"""A stand-in for a task whose code is not in this process: ``tasks.trigger("id")`` from another service."""

import logging
from typing import NoReturn

from taskflow.definition.documents.payload import OutputType
from taskflow.definition.hook_sets import HookSet
from taskflow.definition.machine import declared_machine
from taskflow.definition.queue import queue_of_task
from taskflow.definition.registry import Registry
from taskflow.definition.retry import Retry
from taskflow.definition.signature import read_signature
from taskflow.definition.task_definition import TaskDefinition, check_task_id
from taskflow.suggestions import near_miss

log = logging.getLogger("taskflow.trigger")


class NamedTasks:
    """The tasks of this process, and stand-ins for those of others, by id."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._foreign: dict[str, TaskDefinition] = {}

    def task(self, task_id: str) -> TaskDefinition:
        """Return the task with an id, or a stand-in if only workers have its code.

        Raises:
            DefinitionError: That can't be the id of a task.
        """
        if task_id in self._registry:
            return self._registry.get(task_id)
        if task_id not in self._foreign:
            self._foreign[task_id] = foreign_task(task_id)
            near = near_miss(task_id, (task.id for task in self._registry))
            hint = f" Did you mean {near!r}?" if near else ""
            if len(self._registry):  # else no code was meant to be here
                log.warning(
                    "task.foreign: %r is not declared in this process; workers decide about it.%s", task_id, hint
                )
        return self._foreign[task_id]

    def is_foreign(self, task_id: str) -> bool:
        """Whether the code of the task is not in this process."""
        return task_id in self._foreign and task_id not in self._registry


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
        payload=signature.payload_type(task_id),
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
