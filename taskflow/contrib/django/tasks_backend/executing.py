"""The execution of one of Django's tasks in a run: its call, its context, its signals and its errors' classes."""

import os
import socket
from traceback import format_exception
from types import TracebackType
from typing import Any, Final

from django.utils import timezone
from pydantic import BaseModel, JsonValue

from taskflow import Context, metadata
from taskflow.contrib.django.tasks_backend.compat import (
    TaskContext,
    TaskError,
    TaskResultStatus,
    normalize_json,
    task_finished,
    task_started,
)
from taskflow.contrib.django.tasks_backend.results import ERROR_CLASS, new_result, set_fields, task_at

_CONTEXT: Final = "context"


class Call(BaseModel):
    """A call of one of Django's tasks, as its run's payload has it."""

    path: str
    args: list[JsonValue]
    keywords: dict[str, JsonValue]
    backend: str
    queue_name: str
    priority: int


def call(payload: Call, ctx: Context) -> JsonValue:
    """Call a task in a ``def`` run."""
    execution = _Execution(payload, ctx)
    with execution:
        execution.took(execution.task.call(*execution.arguments, **payload.keywords))
    return execution.output


async def acall(payload: Call, ctx: Context) -> JsonValue:
    """Await a task in an ``async def`` run."""
    execution = _Execution(payload, ctx)
    with execution:
        execution.took(await execution.task.acall(*execution.arguments, **payload.keywords))
    return execution.output


class _Execution:
    """One attempt, between the signals at its start and at its end."""

    def __init__(self, payload: Call, ctx: Context) -> None:
        self._ctx = ctx
        self.task: Any = task_at(
            payload.path, backend=payload.backend, queue_name=payload.queue_name, priority=payload.priority
        )
        self.output: JsonValue = None
        self._result = new_result(
            self.task,
            ctx.run.id,
            payload.args,
            payload.keywords,
            status=TaskResultStatus.RUNNING,
            enqueued_at=ctx.run.created_at,
            started_at=ctx.run.started_at,
            last_attempted_at=ctx.attempt.started_at,
            worker_ids=[f"{socket.gethostname()}.{os.getpid()}"] * ctx.attempt.number,
        )
        self.arguments: list[Any] = list(payload.args)
        if self.task.takes_context:
            self.arguments.insert(0, TaskContext(task_result=self._result))

    def took(self, value: object) -> None:
        """Take what the task has returned. Raises TypeError for what is no JSON."""
        self.output = normalize_json(value)

    def __enter__(self) -> None:
        task_started.send(sender=self._sender, task_result=self._result)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            set_fields(self._result, status=TaskResultStatus.SUCCESSFUL, _return_value=self.output)
            self._finish()
        elif issubclass(kind, Exception) or (issubclass(kind, SystemExit) and not self._ctx.signal.is_set()):
            self._failed(kind, error)

    def _failed(self, kind: type[BaseException], error: BaseException | None) -> None:
        """Keep the class of an error, whose run has its name only."""
        path = f"{kind.__module__}.{kind.__qualname__}"
        metadata.set(f"{ERROR_CLASS}{self._ctx.attempt.number}", path)
        if self._ctx.attempt.is_last:
            self._result.errors.append(TaskError(exception_class_path=path, traceback="".join(format_exception(error))))
            set_fields(self._result, status=TaskResultStatus.FAILED)
            self._finish()

    def _finish(self) -> None:
        set_fields(self._result, finished_at=timezone.now())
        task_finished.send(sender=self._sender, task_result=self._result)

    @property
    def _sender(self) -> type[object]:
        backend: object = self.task.get_backend()
        return type(backend)
