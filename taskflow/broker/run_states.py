"""A run as Celery's result backends describe a task: its state, its result, its metadata. Pure."""

import builtins
from typing import Any, Final

from celery import states
from celery.exceptions import TaskRevokedError
from celery.utils.serialization import create_exception_cls

from taskflow.models import AttemptOutcome, Run, RunError, RunStatus

STATES: Final = {
    RunStatus.PENDING_VERSION: states.PENDING,
    RunStatus.DELAYED: states.PENDING,
    RunStatus.QUEUED: states.PENDING,
    RunStatus.EXECUTING: states.STARTED,
    RunStatus.REATTEMPTING: states.RETRY,
    RunStatus.WAITING: states.STARTED,
    RunStatus.COMPLETED: states.SUCCESS,
    RunStatus.CANCELED: states.REVOKED,
    RunStatus.FAILED: states.FAILURE,
    RunStatus.CRASHED: states.FAILURE,
    RunStatus.SYSTEM_FAILURE: states.FAILURE,
    RunStatus.EXPIRED: states.FAILURE,
    RunStatus.TIMED_OUT: states.FAILURE,
}
"""Celery's state for each status."""


def task_meta(run: Run) -> dict[str, Any]:
    """Return what ``AsyncResult`` reads, as Celery's own backends keep it with ``result_extended``."""
    error = _shown_error(run)
    return {
        "task_id": run.id,
        "status": STATES[run.status],
        "result": run.output if error is None else exception_of(run.status, error),
        "traceback": error.traceback or None if error else None,
        "children": [],
        "date_done": run.finished_at.isoformat() if run.finished_at else None,
        "name": run.task_id,
        "args": [run.payload],
        "kwargs": {},
        "worker": run.attempts[-1].node.rsplit(".", 2)[0] if run.attempts else None,
        "retries": sum(attempt.outcome is AttemptOutcome.FAILED for attempt in run.attempts[:-1]),
        "queue": run.queue,
    }


def exception_of(status: RunStatus, error: RunError | None) -> Exception:
    """Return what ``AsyncResult.get()`` raises: the builtin exception that the run raised, or one of the same name.

    Only builtins are looked up: the type's name comes from stored data, and must not choose what is called.
    """
    error = error or RunError(status.value, "")
    if status is RunStatus.CANCELED:
        return TaskRevokedError(error.message)
    found: object = getattr(builtins, error.type, None)
    if not (isinstance(found, type) and issubclass(found, Exception)):
        found = create_exception_cls(error.type.rpartition(".")[2], "taskflow.run")
    try:
        made: Exception = found(error.message)
    except TypeError:  # a builtin that wants more arguments, such as UnicodeDecodeError
        made = Exception(f"{error.type}: {error.message}")
    return made


def _shown_error(run: Run) -> RunError | None:
    """A retried run's last error is shown, as Celery does it; a completed one has none."""
    if run.status is RunStatus.COMPLETED:
        return None
    if run.is_finished:
        return run.error or RunError(run.status.value, "")
    if run.status is RunStatus.REATTEMPTING and run.attempts:
        return run.attempts[-1].error
    return None
