"""Declarations of this process's tasks (ticket template, final hooks) in the store, before their first trigger."""

from collections.abc import Callable
from dataclasses import replace

from taskflow.engine.known_tasks import KnownTasks
from taskflow.store import operations
from taskflow.store.operations.operation import Operation


class Declarations:
    """Remembers the tasks that were declared. ``missing`` are those whose template the store has lost since."""

    def __init__(
        self, template: Callable[[str], str], has_final_hooks: Callable[[str], bool], known: KnownTasks
    ) -> None:
        """Take the functions that describe a task. ``known`` receives the tasks that workers have registered."""
        self._known = known
        self._template = template
        self._has_final_hooks = has_final_hooks
        self._made: set[tuple[str, int]] = set()

    def needed(self, task_id: str, shard: int, missing: set[str]) -> Operation[int] | None:
        """Return the operation that must precede a trigger of the task, if any."""
        is_made = (task_id, shard) in self._made and task_id not in missing
        if is_made or self._known.is_foreign(task_id):
            return None
        hooks = {task_id: self._has_final_hooks(task_id)}
        declare = operations.making.declare({task_id: self._template(task_id)}, {}, by_worker=False, final_hooks=hooks)

        def read(_: int, registered: int) -> int:
            self._known.confirm(task_id, is_registered=bool(registered))
            return registered

        return replace(declare, read=read)

    def made(self, task_id: str, shard: int, missing: set[str]) -> None:
        """Record that the operation was executed."""
        self._made.add((task_id, shard))
        missing.discard(task_id)
