"""A run on the wire."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from taskflow.models import AttemptOutcome, Run, RunError, RunStatus
from taskflow.server.api.runs.schedules import RunSchedule
from taskflow.server.api.runs.statuses import WIRE, flags
from taskflow.server.api.wire import AnyJson, Instant, Wire, or_null

RUN_KIND: Final = "application/json"


class CauseObject(Wire):
    """An error that led to another."""

    message: str
    name: str | None = None


class ErrorObject(Wire):
    """The error of a run."""

    message: str
    name: str | None = None
    stack_trace: str | None = None
    causes: list[CauseObject] | None = None


class EnvironmentObject(Wire):
    """The environment of a run."""

    id: str
    name: str


class RunSummary(Wire):
    """A run in a list."""

    id: str
    task_identifier: str
    status: str
    is_queued: bool
    is_executing: bool
    is_waiting: bool
    is_completed: bool
    is_success: bool
    is_failed: bool
    is_cancelled: bool
    is_test: bool
    created_at: Instant
    updated_at: Instant
    started_at: Instant | None = None
    finished_at: Instant | None = None
    delayed_until: Instant | None = None
    expired_at: Instant | None = None
    tags: list[str]
    cost_in_cents: float = 0
    base_cost_in_cents: float = 0
    duration_ms: int
    ttl: str | None = None
    metadata: dict[str, AnyJson] | None = None
    idempotency_key: str | None = None
    version: str | None = None
    env: EnvironmentObject | None = None
    schedule: RunSchedule | None = None


class RelatedRun(RunSummary):
    """A parent, root or child of a run."""

    depth: int
    trigger_function: str
    batch_id: str | None = None


class RelatedRuns(Wire):
    """The family of a run."""

    root: RelatedRun | None = None
    parent: RelatedRun | None = None
    children: list[RelatedRun] | None = None


class RunObject(RelatedRun):
    """A run."""

    payload: AnyJson = None
    output: AnyJson = None
    error: ErrorObject | None = None
    related_runs: RelatedRuns
    attempt_count: int


class Family:
    """The records of a run's parents and children, as far as they are known.

    Args:
        ancestors: From the parent to the root.
    """

    def __init__(self, ancestors: Sequence[Run] = (), children: Sequence[Run] = ()) -> None:
        self.ancestors, self.children = ancestors, children


def run_object(run: Run, family: Family, schedule: RunSchedule | None = None) -> RunObject:
    """Return a run with payload, output and relatives."""
    depth = len(family.ancestors)
    parents = [
        RelatedRun(**_summary(ancestor), **_relation(ancestor, depth - 1 - index, family.ancestors[index + 1 :]))
        for index, ancestor in enumerate(family.ancestors)
    ]
    children = [RelatedRun(**_summary(child), **_relation(child, depth + 1, (run,))) for child in family.children]
    return RunObject(
        **_summary(run),
        **_relation(run, depth, family.ancestors),
        schedule=schedule,
        payload=or_null(run.payload),
        output=or_null(run.output) if run.status is RunStatus.COMPLETED else None,
        error=error_object(run.error),
        related_runs=RelatedRuns(
            root=parents[-1] if parents else None, parent=parents[0] if parents else None, children=children or None
        ),
        attempt_count=sum(attempt.outcome is not AttemptOutcome.LOST for attempt in run.attempts),
    )


def listed_run(run: Run, environment: EnvironmentObject, schedules: Mapping[str, RunSchedule]) -> RunSummary:
    """Return a run of a list."""
    return RunSummary(**_summary(run), env=environment, schedule=schedules.get(run.schedule_id or ""))


def error_object(error: RunError | None) -> ErrorObject | None:
    """Return the error of a run."""
    if error is None:
        return None
    causes = [CauseObject(message=cause.message, name=cause.type) for cause in error.causes]
    return ErrorObject(
        message=error.message, name=error.type, stack_trace=error.traceback or None, causes=causes or None
    )


def updated_at(run: Run) -> datetime:
    """Return the newest instant of a record: the store does not keep that of its last change."""
    attempts = [moment for attempt in run.attempts for moment in (attempt.started_at, attempt.finished_at)]
    return max(moment for moment in (run.created_at, run.started_at, run.finished_at, *attempts) if moment)


def compute_time(run: Run) -> timedelta:
    """Return the time of all attempts; of a run in a list, which has none, from its first start to its end."""
    now = datetime.now(UTC)
    if run.attempts:
        return sum(((one.finished_at or now) - one.started_at for one in run.attempts), timedelta(0))
    return (run.finished_at or now) - run.started_at if run.started_at else timedelta(0)


def _summary(run: Run) -> Mapping[str, Any]:
    is_expired = run.status is RunStatus.EXPIRED
    return {
        "id": run.id,
        "task_identifier": run.task_id,
        "status": WIRE[run.status],
        **flags(run.status),
        "is_test": run.is_test,
        "created_at": run.created_at,
        "updated_at": updated_at(run),
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "delayed_until": run.due_at if run.status is RunStatus.DELAYED else None,
        "expired_at": run.finished_at if is_expired else None,
        "tags": list(run.tags),
        "duration_ms": max(0, compute_time(run) // timedelta(milliseconds=1)),
        "ttl": f"{run.ttl.total_seconds():.0f}s" if run.ttl else None,
        "metadata": dict(run.metadata) or None,
        "idempotency_key": run.idempotency_key,
        "version": run.version,
    }


def _relation(run: Run, depth: int, ancestors: Sequence[Run]) -> Mapping[str, Any]:
    kind = "batchTrigger" if run.batch_id else "trigger"
    waits = any(run.id in wait.run_ids for parent in ancestors[:1] for wait in parent.waits)
    return {
        "depth": depth,
        "trigger_function": f"{kind}AndWait" if waits else kind,
        "batch_id": run.batch_id,
    }
