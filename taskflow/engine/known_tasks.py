"""The tasks that workers are known to have registered. The store looks up all others at each trigger."""

from dataclasses import dataclass
from datetime import timedelta

from taskflow.definition.calls.trigger_options import TriggerOptions
from taskflow.definition.foreign_task import NamedTasks
from taskflow.definition.registry import Registry


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


class KnownTasks(NamedTasks):
    """The tasks of this process and of others, and those that workers are known to have registered.

    A registered task stays registered, because the store does not delete tasks. A store that was emptied lacks the
    task's template as well, and the declaration that follows corrects what is known here.
    """

    def __init__(self, registry: Registry, patience: timedelta = timedelta(days=1)) -> None:
        super().__init__(registry)
        self._patience = patience
        self._registered: set[str] = set()

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
