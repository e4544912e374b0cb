"""A task of taskflow for each of Django's, under its path, so that it can be seen, limited and replayed by its name."""

import inspect
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, Final, cast

from django.utils.module_loading import import_string
from pydantic import JsonValue

from taskflow import Context, Retry
from taskflow import Task as FlowTask
from taskflow import task as declare
from taskflow.contrib.django.tasks_backend.compat import Task
from taskflow.contrib.django.tasks_backend.executing import Call, acall, call
from taskflow.contrib.django.tasks_backend.results import AnyTask
from taskflow.contrib.django.tasks_backend.setting import our_backends
from taskflow.definition.registry import declared
from taskflow.definition.task_definition import TaskDefinition, check_task_id
from taskflow.errors import DefinitionError

ANY: Final = "django-task"
ANY_ASYNC: Final = "django-task-async"
"""The tasks for those of Django's whose path can't be an id, or that workers know for another backend only."""
_ONCE: Final = Retry(max_attempts=1)
"""The default: Django's tasks are tried once."""


def declare_task(task: AnyTask) -> None:
    """Declare the task of taskflow that executes one of Django's, if its path can be an id."""
    path, function = task.module_path, task.func
    if path in declared or not _is_id(path, function):
        return
    code = inspect.unwrap(function).__code__
    declared.add(
        replace(
            _definition(path, is_async=inspect.iscoroutinefunction(function)),
            description=inspect.getdoc(function) or "",
            module=function.__module__,
            qualname=function.__qualname__,
            source_file=code.co_filename,
            source_line=code.co_firstlineno,
        )
    )


def declare_any() -> None:
    """Declare the tasks for those that have none of their own."""
    for task_id, is_async in ((ANY, False), (ANY_ASYNC, True)):
        if task_id not in declared:
            declared.add(_definition(task_id, is_async=is_async))


def task_for(task: AnyTask) -> FlowTask[Call, JsonValue]:
    """Return the task of taskflow that executes one of Django's.

    It is one of its own if its declaration names one of our backends. Workers do not know those of others by name,
    which come here by ``using(backend=...)``.
    """
    path = task.module_path
    named = import_string(path)
    if path in declared and isinstance(named, Task) and named.backend in our_backends():
        return FlowTask(declared.get(path))
    return FlowTask(declared.get(ANY_ASYNC if inspect.iscoroutinefunction(task.func) else ANY))


def _definition(task_id: str, *, is_async: bool) -> TaskDefinition:
    def execute(payload: Call, ctx: Context) -> JsonValue:
        return call(payload, ctx)

    async def execute_async(payload: Call, ctx: Context) -> JsonValue:
        return await acall(payload, ctx)

    function: Callable[[Call, Context], JsonValue | Coroutine[Any, Any, JsonValue]]
    function = execute_async if is_async else execute
    with declared.isolated():  # it would be declared at our function's place
        made = cast("FlowTask[Call, JsonValue]", declare(id=task_id, retry=_ONCE)(cast("Any", function)))
    return made.definition


def _is_id(path: str, function: Callable[..., object]) -> bool:
    try:
        check_task_id(path, function)
    except DefinitionError:
        return False
    return True
