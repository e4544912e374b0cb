"""Tasks of every kind: a declaration with hooks, and a function that can be called."""

import functools
from typing import TYPE_CHECKING, Generic, ParamSpec, TypeVar, cast

from taskflow.definition.celery_habits import about_method
from taskflow.definition.hook_decorators import Hooked
from taskflow.definition.hook_sets import HookSet
from taskflow.definition.task_definition import TaskDefinition

ReturnT = TypeVar("ReturnT")
Own = ParamSpec("Own")


class DeclaredTask(Hooked):
    """A task of any kind.

    Attributes:
        definition: The task's declaration.
    """

    def __init__(self, definition: TaskDefinition) -> None:
        """Wrap a definition. Users write ``@task()`` instead."""
        self.definition = definition

    def __repr__(self) -> str:
        return f"<Task {self.definition.id!r}>"

    if not TYPE_CHECKING:  # type checkers are to refuse what is not there

        def __getattr__(self, name: str) -> object:
            """Name what to write instead of an attribute of Celery's tasks."""
            definition = self.__dict__.get("definition")
            text = definition and about_method(definition.function.__name__, definition.id, name)
            raise AttributeError(
                text or f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
            )

    def hook_set(self) -> HookSet:
        """Return the task's hooks."""
        return self.definition.hooks


class InPlace(DeclaredTask, Generic[Own, ReturnT]):
    """A task made of a function. A call of the task calls the function, without a run, retries or the store."""

    def __init__(self, definition: TaskDefinition) -> None:
        """Wrap a definition. Users write ``@task()`` instead."""
        super().__init__(definition)
        functools.update_wrapper(self, definition.function)

    def __call__(self, *args: Own.args, **kwargs: Own.kwargs) -> ReturnT:
        """Call the function."""
        return cast("ReturnT", self.definition.function(*args, **kwargs))
