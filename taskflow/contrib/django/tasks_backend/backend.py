"""``TASKS = {"default": {"BACKEND": "taskflow.contrib.django.TaskflowBackend"}}``."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, ParamSpec, TypedDict, TypeVar, cast

from django.apps import apps
from django.core import checks
from django.utils import timezone

from taskflow import Queue, RunNotFoundError, runs
from taskflow.contrib.django.tasks_backend.compat import (
    BaseTaskBackend,
    InvalidTask,
    Task,
    TaskResult,
    TaskResultDoesNotExist,
    task_enqueued,
)
from taskflow.contrib.django.tasks_backend.declaring import declare_any, declare_task, task_for
from taskflow.contrib.django.tasks_backend.executing import Call
from taskflow.contrib.django.tasks_backend.results import AnyResult, AnyTask, new_result, result_of, set_fields
from taskflow.definition.queue import NAME_REMEDY, is_queue_name
from taskflow.seams.current_application import CURRENT
from taskflow.suggestions import did_you_mean
from taskflow.verbs.at_commit import open_transaction

APP: Final = "taskflow.contrib.django"
OPTIONS: Final = ("ENQUEUE_ON_COMMIT", "LIMITS", "MAX_ATTEMPTS")
_P = ParamSpec("_P")
_R = TypeVar("_R")
_SECONDS_A_PRIORITY: Final = 21_474
"""100 of them are the largest priority of a run: the highest goes before runs that wait up to 25 days longer."""


class _Options(TypedDict, total=False):
    queue: Queue
    priority: float
    delay: Any
    max_attempts: int


class TaskflowBackend(BaseTaskBackend):
    """Executes Django's tasks as runs. The id of a result is that of its run.

    ``OPTIONS``: ``ENQUEUE_ON_COMMIT`` (default True: inside a transaction the run is made at its commit),
    ``MAX_ATTEMPTS`` (default 1), ``LIMITS`` (how many runs of a queue execute at a time: ``{"emails": 4}``).
    """

    supports_defer = True
    supports_async_task = True
    supports_get_result = True
    supports_priority = True

    def __init__(self, alias: str, params: dict[str, Any]) -> None:
        super().__init__(alias, params)
        self._limits: Mapping[str, int] = self.options.get("LIMITS", {})
        self._max_attempts: int = self.options.get("MAX_ATTEMPTS", 1)
        self._on_commit: bool | None = None if self.options.get("ENQUEUE_ON_COMMIT", True) else False
        declare_any()

    def validate_task(self, task: AnyTask) -> None:
        """Check a task, which every task of this backend passes when it is made, and declare it to taskflow."""
        super().validate_task(task)
        if not is_queue_name(task.queue_name):
            raise InvalidTask(f"Queue {task.queue_name!r} is not a name that taskflow can have. {NAME_REMEDY}.")
        declare_task(task)

    def enqueue(self, task: "Task[_P, _R]", args: list[Any], kwargs: dict[str, Any]) -> "TaskResult[_P, _R]":
        """Trigger a run, in a transaction at its commit. ``task_enqueued`` is sent then, too."""
        self.validate_task(task)
        result, payload = self._called(task, args, kwargs)
        transaction = open_transaction(self._on_commit)
        if transaction is not None:  # before the trigger, so that the signal comes before the run
            transaction.on_commit(lambda: self._send(result))
        with CURRENT.start_later():  # after the signal of its making
            handle = task_for(task).trigger(payload, on_commit=self._on_commit, **self._run_options(task))
            set_fields(result, id=handle.id, enqueued_at=timezone.now())
            if transaction is None:
                self._send(result)
        return cast("TaskResult[_P, _R]", result)

    async def aenqueue(self, task: "Task[_P, _R]", args: list[Any], kwargs: dict[str, Any]) -> "TaskResult[_P, _R]":
        """Trigger a run without blocking the event loop."""
        self.validate_task(task)
        result, payload = self._called(task, args, kwargs)
        async with CURRENT.start_later():
            handle = await task_for(task).atrigger(payload, **self._run_options(task))
            set_fields(result, id=handle.id, enqueued_at=timezone.now())
            self._send(result)
        return cast("TaskResult[_P, _R]", result)

    def get_result(self, result_id: str) -> AnyResult:
        """Read a run.

        Raises:
            TaskResultDoesNotExist: There is no such run, or it is not one of Django's tasks.
        """
        try:
            found = result_of(runs.retrieve(result_id))
        except RunNotFoundError:
            found = None
        return self._existing(found, result_id)

    async def aget_result(self, result_id: str) -> AnyResult:
        """Read a run. See ``get_result``."""
        try:
            found = result_of(await runs.aretrieve(result_id))
        except RunNotFoundError:
            found = None
        return self._existing(found, result_id)

    def check(self, **kwargs: Any) -> list[Any]:
        """Check the backend's options, and that workers know of it."""
        found = [*super().check(**kwargs)]
        if not apps.is_installed(APP):
            hint = f"Add {APP!r} to INSTALLED_APPS."
            found.append(checks.Error(f"TASKS[{self.alias!r}] needs the app.", hint=hint, id="taskflow.E002"))
        for option in self.options:
            if option not in OPTIONS:
                text = f"TASKS[{self.alias!r}] has an unknown option {option!r}."
                found.append(checks.Error(text, hint=did_you_mean(option, OPTIONS, "options"), id="taskflow.E003"))
        return found

    def _called(self, task: AnyTask, args: Sequence[Any], kwargs: Mapping[str, Any]) -> tuple[AnyResult, Call]:
        result = new_result(task, "", args, kwargs)
        payload = Call(
            path=task.module_path,
            args=result.args,
            keywords=result.kwargs,
            backend=self.alias,
            queue_name=task.queue_name,
            priority=task.priority,
        )
        return result, payload

    def _run_options(self, task: AnyTask) -> _Options:
        options = _Options(queue=Queue(task.queue_name, concurrency_limit=self._limits.get(task.queue_name)))
        if task.priority:
            options["priority"] = task.priority * _SECONDS_A_PRIORITY
        if task.run_after is not None:
            is_aware = timezone.is_aware(task.run_after)
            options["delay"] = task.run_after if is_aware else timezone.make_aware(task.run_after)
        if self._max_attempts != 1:
            options["max_attempts"] = self._max_attempts
        return options

    def _send(self, result: AnyResult) -> None:
        task_enqueued.send(type(self), task_result=result)

    def _existing(self, found: AnyResult | None, result_id: str) -> AnyResult:
        if found is None:
            raise TaskResultDoesNotExist(result_id)
        return found
