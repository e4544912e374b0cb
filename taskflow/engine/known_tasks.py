"""The tasks that workers are known to have registered. The store looks up all others at each trigger."""

import logging
from dataclasses import dataclass
from datetime import timedelta

from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.foreign_task import foreign_task
from taskflow.definition.registry import Registry
from taskflow.definition.task_definition import TaskDefinition
from taskflow.suggestions import near_miss

log = logging.getLogger("taskflow.trigger")


@dataclass(frozen=True, slots=True)
class Doubts:
    """The questions of a trigger that the script which makes the run answers.

    Attributes:
        parts: ``task``, ``queue`` or both: has a worker registered them?
        foreign: Options that neither the trigger nor code in this process has chosen: the worker's declaration counts.
        patience: How long the run may be PENDING_VERSION.
    """

    parts: str
    foreign: str
    patience: timedelta


class KnownTasks:
    """The tasks of this process and of others, and those that workers are known to have registered.

    A registered task stays registered, because the store does not delete tasks. A store that was emptied lacks the
    task's template as well, and the declaration that follows corrects what is known here.
    """

    def __init__(self, registry: Registry, patience: timedelta = timedelta(days=1)) -> None:
        self._registry = registry
        self._patience = patience
        self._registered: set[str] = set()
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

    def confirm(self, task_id: str, *, is_registered: bool = True) -> None:
        """Record whether a worker has registered this task."""
        (self._registered.add if is_registered else self._registered.discard)(task_id)

    def doubts(self, task_id: str, options: TriggerOptions, *, is_queue_declared: bool) -> Doubts | None:
        """Return the questions that the store must answer for a run, None when there are none."""
        is_registered = task_id in self._registered
        if is_registered and is_queue_declared:
            return None
        parts = "queue" if is_registered else "task" if is_queue_declared else "task queue"
        return Doubts(parts, _open(options) if self.is_foreign(task_id) else "", self._patience)


def _open(options: TriggerOptions) -> str:
    chosen = {
        "executor": None,  # a trigger never chooses it
        "machine": options.machine,
        "queue": options.queue,
        "max_attempts": options.max_attempts,
        "ttl": options.ttl,
        "max_duration": options.max_duration,
    }
    return " ".join(name for name, value in chosen.items() if value is None)
