"""From a claimed run to its attempt, and from the attempt's outcome to what is written. Shared by both executors."""

from datetime import UTC, datetime, timedelta
from typing import Any

from taskflow.definition.context import (
    AttemptInfo,
    Context,
    EnvironmentInfo,
    MachineInfo,
    QueueInfo,
    RunInfo,
    TaskInfo,
)
from taskflow.definition.task import TaskDefinition
from taskflow.execution.attempt import Attempt
from taskflow.execution.outcome import Completed, Ended, Outcome, Retried, Tries
from taskflow.models import RunError, RunStatus
from taskflow.store import operations
from taskflow.store.operations import Operation
from taskflow.store.records import ClaimedRun
from taskflow.worker.runtime import Runtime

STOPPED = RunError("Stopped", "The run's code was stopped by its node.")


def prepare(runtime: Runtime, definition: TaskDefinition, claimed: ClaimedRun) -> Attempt:
    """Return the attempt to execute for a claim."""
    tries = Tries(claimed.failed_attempts, claimed.max_attempts, claimed.machine)
    return Attempt(
        definition, claimed.payload, _context(runtime, definition, claimed, tries), tries, runtime.settings.output_limit
    )


def settle(definition: TaskDefinition, run_id: str, claim: int, outcome: Outcome) -> Operation[Any]:
    """Return the operation that writes an outcome under its claim."""
    match outcome:
        case Completed(output):
            return operations.finish_run(run_id, claim, RunStatus.COMPLETED, output=output)
        case Retried(error, delay, machine):
            class_name = f"{machine}.{definition.executor}" if machine else ""
            return operations.retry_run(run_id, claim, error, max(delay, timedelta(0)), class_name=class_name)
        case Ended(error, status):
            return operations.finish_run(run_id, claim, status, error=error)


def _context(runtime: Runtime, definition: TaskDefinition, claimed: ClaimedRun, tries: Tries) -> Context:
    spec = runtime.presets.get(claimed.machine, definition.machine)
    return Context(
        run=RunInfo(
            id=claimed.run_id,
            tags=claimed.tags,
            created_at=claimed.created_at,
            started_at=claimed.started_at,
            max_attempts=claimed.max_attempts,
            idempotency_key=claimed.idempotency_key,
            is_test=claimed.is_test,
            is_replay=claimed.replay_of is not None,
            concurrency_key=claimed.concurrency_key,
            priority=claimed.priority,
            max_duration=claimed.max_duration,
            parent_id=claimed.parent_id,
            root_id=claimed.root_id,
            batch_id=claimed.batch_id,
        ),
        attempt=AttemptInfo(number=claimed.attempt_number, started_at=datetime.now(UTC), is_last=tries.is_last),
        task=TaskInfo(id=definition.id, description=definition.description),
        queue=QueueInfo(name=claimed.queue),
        machine=MachineInfo(name=spec.name, cpu=spec.cpu, memory=spec.memory_gb),
        environment=EnvironmentInfo(name=runtime.settings.environment),
    )
