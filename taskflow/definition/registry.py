"""The tasks that this process has declared, by id."""

import contextlib
from collections.abc import Generator, Iterator
from typing import Final

from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import DefinitionError, TaskNotFoundError
from taskflow.suggestions import did_you_mean


class Registry:
    """Definitions by id."""

    def __init__(self) -> None:
        self._tasks: dict[str, TaskDefinition] = {}

    def add(self, new: TaskDefinition) -> None:
        """Add a task. The same function imported again replaces itself.

        Raises:
            DefinitionError: Another function has that id; the message names both places.
        """
        known = self._tasks.get(new.id)
        if known and not _is_same_function(known, new):
            raise DefinitionError(
                f"Two tasks have the same id: {known.location} and {new.location}",
                option="id",
                value=new.id,
                remedy="Give one of them another id.",
            )
        self._tasks[new.id] = new

    def get(self, task_id: str) -> TaskDefinition:
        """Return the task of an id.

        Raises:
            TaskNotFoundError: None is declared; the message names the nearest id.
        """
        try:
            return self._tasks[task_id]
        except KeyError:
            near = did_you_mean(task_id, self._tasks, "declared tasks")
            raise TaskNotFoundError(task_id, f"{near} Is its module imported (TASKFLOW_TASKS)?") from None

    def __iter__(self) -> Iterator[TaskDefinition]:
        return iter(tuple(self._tasks.values()))

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, task_id: object) -> bool:
        return task_id in self._tasks

    @contextlib.contextmanager
    def isolated(self, *, is_empty: bool = False) -> Generator[None]:
        """Forget on exit what was added, changed or removed inside. For tests that declare tasks.

        Args:
            is_empty: Begin without any task.
        """
        before = dict(self._tasks)
        if is_empty:
            self._tasks = {}
        try:
            yield
        finally:
            self._tasks = before


def _is_same_function(one: TaskDefinition, other: TaskDefinition) -> bool:
    if (one.module, one.qualname) == (other.module, other.qualname):
        return True
    return one.location == other.location  # run as a script and imported: __main__ and its own name are one module


declared: Final = Registry()
"""The tasks of this process: ``@task`` adds to it."""
