"""Which tasks the store knows from this process (ticket template, hooks), and the operation that tells it."""

from collections.abc import Callable
from dataclasses import replace

from taskflow.engine.known_tasks import KnownTasks
from taskflow.store import operations
from taskflow.store.operations.operation import Operation


class Declarations:
    """Remembers what was declared. ``missing`` are the tasks whose template the store has lost since."""

    def __init__(
        self, template: Callable[[str], str], has_final_hooks: Callable[[str], bool], known: KnownTasks
    ) -> None:
        """Know how a task's template is made, and whether it has final hooks; learn whether workers know it."""
        self._known = known
        self._template = template
        self._has_final_hooks = has_final_hooks
        self._made: set[tuple[str, int]] = set()

    def needed(self, task_id: str, shard: int, missing: set[str]) -> Operation[int] | None:
        """Return the operation to execute before a run of the task is triggered, if any."""
        is_made = (task_id, shard) in self._made and task_id not in missing
        if is_made or self._known.is_foreign(task_id):
            return None
        hooks = {task_id: self._has_final_hooks(task_id)}
        declare = operations.making.declare({task_id: self._template(task_id)}, {}, by_worker=False, final_hooks=hooks)

        def read(_: int, registered: int) -> int:
            if registered:
                self._known.confirm(task_id)
            return registered

        return replace(declare, read=read)

    def made(self, task_id: str, shard: int, missing: set[str]) -> None:
        """Say that the operation was executed."""
        self._made.add((task_id, shard))
        missing.discard(task_id)
