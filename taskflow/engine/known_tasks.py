"""Which tasks a trigger may be sure of: workers have registered them. What it is not sure of, the store looks up."""

import logging
from dataclasses import dataclass
from datetime import timedelta

from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.foreign_task import foreign_task
from taskflow.definition.registry import Registry
from taskflow.definition.suggestions import near_miss
from taskflow.definition.task_definition import TaskDefinition

log = logging.getLogger("taskflow.trigger")


@dataclass(frozen=True, slots=True)
class Doubts:
    """What a trigger does not know, for the script that makes its run.

    Attributes:
        parts: ``task`` and ``queue``: whether a worker has registered them.
        foreign: What the task's code would say and the trigger did not choose, when the code is not here.
        patience: How long the run may be PENDING_VERSION.
    """

    parts: str
    foreign: str
    patience: timedelta


class KnownTasks:
    """The tasks of this process, those of others, and which of them workers are known to have registered.

    What is known once stays so: the store forgets no task.
    """

    def __init__(self, registry: Registry, patience: timedelta = timedelta(days=1)) -> None:
        self._registry = registry
        self._patience = patience
        self._registered: set[str] = set()
        self._foreign: dict[str, TaskDefinition] = {}

    def task(self, task_id: str) -> TaskDefinition:
        """Return the task declared under an id, or a stand-in for one whose code only workers have.

        Raises:
            DefinitionError: That can't be the id of a task.
        """
        if task_id in self._registry:
            return self._registry.get(task_id)
        if task_id not in self._foreign:
            self._foreign[task_id] = foreign_task(task_id)
            near = near_miss(task_id, (task.id for task in self._registry))
            hint = f" Did you mean {near!r}?" if near else ""
            log.warning("task.foreign: %r is not declared in this process; workers decide about it.%s", task_id, hint)
        return self._foreign[task_id]

    def is_foreign(self, task_id: str) -> bool:
        """Whether its code is not here."""
        return task_id in self._foreign and task_id not in self._registry

    def confirm(self, task_id: str) -> None:
        """A worker has registered this task."""
        self._registered.add(task_id)

    def doubts(self, task_id: str, options: TriggerOptions, *, is_queue_declared: bool) -> Doubts | None:
        """Return what is to be looked up for a run, None when nothing is."""
        is_registered = task_id in self._registered
        if is_registered and is_queue_declared:
            return None
        parts = "queue" if is_registered else "task" if is_queue_declared else "task queue"
        return Doubts(parts, _open(options) if self.is_foreign(task_id) else "", self._patience)


def _open(options: TriggerOptions) -> str:
    chosen = {
        "executor": None,  # never the trigger's to choose
        "machine": options.machine,
        "queue": options.queue,
        "max_attempts": options.max_attempts,
        "ttl": options.ttl,
        "max_duration": options.max_duration,
    }
    return " ".join(name for name, value in chosen.items() if value is None)
