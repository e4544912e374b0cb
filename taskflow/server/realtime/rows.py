"""Runs as rows of realtime shapes. No I/O.

The client takes a column that the schema does not name as it is, so rows are plain JSON. Instants have no zone: the
client appends one.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from pydantic_core import to_json

from taskflow.models import Run, RunError, RunStatus

STATUSES: Final[Mapping[RunStatus, str]] = {
    RunStatus.PENDING_VERSION: "PENDING_VERSION",
    RunStatus.DELAYED: "DELAYED",
    RunStatus.QUEUED: "PENDING",
    RunStatus.EXECUTING: "EXECUTING",
    RunStatus.REATTEMPTING: "RETRYING_AFTER_FAILURE",
    RunStatus.WAITING: "WAITING_TO_RESUME",
    RunStatus.COMPLETED: "COMPLETED_SUCCESSFULLY",
    RunStatus.CANCELED: "CANCELED",
    RunStatus.FAILED: "COMPLETED_WITH_ERRORS",
    RunStatus.CRASHED: "CRASHED",
    RunStatus.SYSTEM_FAILURE: "SYSTEM_FAILURE",
    RunStatus.EXPIRED: "EXPIRED",
    RunStatus.TIMED_OUT: "TIMED_OUT",
}
"""The names of statuses in rows, which are not those of the API."""

ALWAYS: Final = frozenset({"id", "friendlyId", "taskIdentifier", "status", "createdAt", "updatedAt"})
"""Columns that are never left out."""

_SENT_ONCE: Final = frozenset({"payload", "payloadType"})
"""Columns that never change and may be large. The others are small, and complete the row of a run that is new."""
_JSON: Final = "application/json"


def row(run: Run, changed_ms: int, streams: Sequence[str] = ()) -> dict[str, object]:
    """Return all columns of a run.

    Args:
        changed_ms: When it last changed, as far as the store's events say; 0 when they do not.
        streams: Names of its streams that have an item.
    """
    columns: dict[str, object] = {
        "id": run.id,
        "friendlyId": run.id,
        "taskIdentifier": run.task_id,
        "status": STATUSES[run.status],
        "createdAt": _instant(run.created_at),
        "updatedAt": _instant(_updated(run, changed_ms)),
        "startedAt": _instant(run.started_at),
        "delayUntil": _instant(run.due_at) if run.status is RunStatus.DELAYED else None,
        "completedAt": _instant(run.finished_at),
        "expiredAt": _instant(run.finished_at) if run.status is RunStatus.EXPIRED else None,
        "payload": _packed(run.payload),
        "payloadType": _JSON,
        "metadata": _packed(dict(run.metadata)),
        "metadataType": _JSON,
        "runTags": list(run.tags),
        "realtimeStreams": list(streams),
        "isTest": run.is_test,
        "number": 0,
        "usageDurationMs": used_ms(run),
        "costInCents": 0,
        "baseCostInCents": 0,
        "ttl": f"{run.ttl.total_seconds():.0f}s" if run.ttl else None,
        "idempotencyKey": run.idempotency_key,
    }
    if run.status is RunStatus.COMPLETED:
        columns |= {"output": _packed(run.output), "outputType": _JSON}
    if run.error is not None and run.is_failed:
        columns["error"] = task_run_error(run.error)
    return {name: value for name, value in columns.items() if value is not None}


def without(columns: Mapping[str, object], skipped: frozenset[str]) -> dict[str, object]:
    """Return a row without some columns; those that the client needs stay."""
    return {name: value for name, value in columns.items() if name in ALWAYS or name not in skipped}


def update_of(columns: Mapping[str, object]) -> dict[str, object]:
    """Return a row for a client that has its payload."""
    return {name: value for name, value in columns.items() if name not in _SENT_ONCE}


def task_run_error(error: RunError) -> dict[str, object]:
    """Return an error in the one form that both REST and realtime take."""
    return {
        "type": "BUILT_IN_ERROR",
        "name": error.type,
        "message": error.message,
        "stackTrace": error.traceback,
    }


def used_ms(run: Run) -> int:
    """Return the sum of the times of a run's attempts that have ended."""
    took = [attempt.finished_at - attempt.started_at for attempt in run.attempts if attempt.finished_at]
    return sum(round(each.total_seconds() * 1000) for each in took)


def _updated(run: Run, changed_ms: int) -> datetime:
    known = [run.created_at, *(at for at in (run.started_at, run.finished_at) if at is not None)]
    known += [attempt.finished_at or attempt.started_at for attempt in run.attempts]
    return max(*known, datetime.fromtimestamp(changed_ms / 1000, UTC))


def _packed(value: object) -> str:
    return to_json(value).decode()


def _instant(at: datetime | None) -> str | None:
    return at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="milliseconds") if at else None
