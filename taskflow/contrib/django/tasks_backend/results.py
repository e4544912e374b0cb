"""Results of Django's tasks, read from runs. A result is a snapshot; ``refresh()`` reads the run again."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, cast

from django.utils.module_loading import import_string

from taskflow import Run, RunStatus
from taskflow.contrib.django.tasks_backend.compat import Task, TaskError, TaskResult, TaskResultStatus
from taskflow.models import Attempt, RunError

ERROR_CLASS: Final = "django-error-class-"
"""With the number of an attempt, the key of a run's metadata that has the path of the attempt's error."""
_ANY_ERROR: Final = "builtins.Exception"
_READY: Final = (RunStatus.QUEUED, RunStatus.DELAYED, RunStatus.PENDING_VERSION)
_RUNNING: Final = (RunStatus.EXECUTING, RunStatus.WAITING, RunStatus.REATTEMPTING)
if TYPE_CHECKING:
    AnyTask = Task[..., Any]
    AnyResult = TaskResult[..., Any]
else:  # the classes have no parameters
    AnyTask, AnyResult = Task, TaskResult


def task_at(path: str, **using: Any) -> AnyTask:
    """Return the task of a path, with other options than its declaration has.

    Raises:
        ImportError: There is no such task any more.
    """
    found: object = import_string(path)
    if not isinstance(found, Task):
        raise ImportError(f"{path} is not a task of Django's: it was one when the run was made.")
    return cast("AnyTask", found).using(**using)


def new_result(
    task: AnyTask,
    result_id: str,
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    status: TaskResultStatus = TaskResultStatus.READY,
    enqueued_at: datetime | None = None,
    started_at: datetime | None = None,
    finished_at: datetime | None = None,
    last_attempted_at: datetime | None = None,
    errors: Sequence[TaskError] = (),
    worker_ids: Sequence[str] = (),
) -> AnyResult:
    """Return a result. Raises TypeError for arguments that are no JSON."""
    return TaskResult(
        task=task,
        id=result_id,
        status=status,
        enqueued_at=enqueued_at,
        started_at=started_at,
        finished_at=finished_at,
        last_attempted_at=last_attempted_at,
        args=list(args),
        kwargs=dict(kwargs),
        backend=task.backend,
        errors=list(errors),
        worker_ids=list(worker_ids),
    )


def result_of(run: Run) -> AnyResult | None:
    """Return the result that a run is, None for a run that is not one of Django's tasks."""
    payload = run.payload
    if not isinstance(payload, Mapping) or not {"path", "args", "keywords", "backend"} <= payload.keys():
        return None
    call = cast("Mapping[str, Any]", payload)
    task = task_at(call["path"], backend=call["backend"], queue_name=call["queue_name"], priority=call["priority"])
    result = new_result(
        task,
        run.id,
        call["args"],
        call["keywords"],
        status=_status(run.status),
        enqueued_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
        last_attempted_at=run.attempts[-1].started_at if run.attempts else None,
        errors=_errors(run),
        worker_ids=[attempt.node for attempt in run.attempts],
    )
    if run.status is RunStatus.COMPLETED:
        set_fields(result, _return_value=run.output)
    return result


def set_fields(result: AnyResult, **fields: object) -> None:
    """Change fields of a result, which is frozen."""
    for name, value in fields.items():
        object.__setattr__(result, name, value)


def _status(status: RunStatus) -> TaskResultStatus:
    if status in _READY:
        return TaskResultStatus.READY
    if status in _RUNNING:
        return TaskResultStatus.RUNNING
    return TaskResultStatus.SUCCESSFUL if status is RunStatus.COMPLETED else TaskResultStatus.FAILED


def _errors(run: Run) -> list[TaskError]:
    """Return the errors of the attempts, and for a run that failed without one, the reason."""
    found = [_error(attempt, attempt.error, run.metadata) for attempt in run.attempts if attempt.error]
    if found or (not run.status.is_failed and run.status is not RunStatus.CANCELED):
        return found
    text = f"{run.error.type}: {run.error.message}" if run.error else f"The run ended {run.status}."
    return [TaskError(exception_class_path=_ANY_ERROR, traceback=text)]


def _error(attempt: Attempt, error: RunError, metadata: Mapping[str, object]) -> TaskError:
    text = f"{error.traceback or f'{error.type}: {error.message}'}\n"  # as traceback.format_exception has it
    path = metadata.get(f"{ERROR_CLASS}{attempt.number}", _ANY_ERROR)
    return TaskError(exception_class_path=str(path), traceback=text)
