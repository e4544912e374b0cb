"""The state, result and metadata of a run in the form of Celery's result backends. Pure functions."""

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
"""Celery's state of each status."""


def task_meta(run: Run) -> dict[str, Any]:
    """Return the metadata that ``AsyncResult`` reads, as Celery's own backends store it with ``result_extended``."""
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
    """Return the exception for ``AsyncResult.get()``: the builtin that the run raised, or a new class of that name.

    Only builtins are looked up, because the name comes from stored data, which must not choose the class to call.
    """
    error = error or RunError(status.value, "")
    if status is RunStatus.CANCELED:
        return TaskRevokedError(error.message)
    kind: object = getattr(builtins, error.type, None)
    if not (isinstance(kind, type) and issubclass(kind, Exception)):
        kind = create_exception_cls(error.type.rpartition(".")[2], "taskflow.run")
    try:
        made: Exception = kind(error.message)
    except TypeError:  # a builtin that needs more arguments, for example UnicodeDecodeError
        made = Exception(f"{error.type}: {error.message}")
    return made


def _shown_error(run: Run) -> RunError | None:
    """Return the error of a run that failed, or that is about to be retried, as Celery shows it; None for others."""
    if run.status is RunStatus.COMPLETED:
        return None
    if run.is_finished:
        return run.error or RunError(run.status.value, "")
    if run.status is RunStatus.REATTEMPTING and run.attempts:
        return run.attempts[-1].error
    return None
