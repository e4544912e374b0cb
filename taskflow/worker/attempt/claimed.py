"""The attempt to execute for a claimed run, and the operations that write its outcome. Shared by both executors."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import StaleClaimError, Suspended
from taskflow.execution.attempt import AttemptRunner
from taskflow.execution.failures import describe
from taskflow.execution.hook_runner import HookRunner, Report
from taskflow.execution.journal import Journal
from taskflow.execution.misfit import Code, OtherVersion, source_digest
from taskflow.execution.outcome import Completed, Ended, Outcome, Retried, Tries
from taskflow.models import AttemptOutcome, RunError, RunStatus
from taskflow.seams.waits import Waits
from taskflow.store import operations
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.journal import StoredJournal, await_code, unload_run
from taskflow.store.operations.operation import Operation
from taskflow.worker.attempt.run_context import context_of
from taskflow.worker.attempt.runtime import Runtime

LEAVING = RunError("Interrupted", "The node was asked to stop.")
LOST = RunError("WorkerLost", "The node's lease ended: its process died, froze or lost the store.")
STOPPED = RunError("Stopped", "The run's code was stopped by its node.")


def prepare(
    runtime: Runtime,
    definition: TaskDefinition,
    claimed: ClaimedRun,
    stop_reason: Callable[[], str] = lambda: "",
    make_waits: Callable[[HookRunner], Waits] | None = None,
) -> AttemptRunner:
    """Return the attempt to execute for a claim."""
    tries = Tries(claimed.failed_attempts, claimed.max_attempts, claimed.machine)
    return AttemptRunner(
        definition,
        claimed.payload,
        context_of(runtime, definition, claimed, tries),
        tries,
        runtime.settings.output_limit,
        stop_reason=stop_reason,
        make_waits=make_waits,
        large_values=runtime.large_values,
        is_resumed=claimed.is_resumed,
    )


def needs_journal(definition: TaskDefinition, claimed: ClaimedRun) -> bool:
    """Whether the run may have a journal to read: not in its first attempt, unless that is resumed or has one kept."""
    return definition.durable and (claimed.is_resumed or claimed.attempt_number > 1 or claimed.replay_of is not None)


def journal_of(
    runtime: Runtime, definition: TaskDefinition, claimed: ClaimedRun, stored: StoredJournal | None
) -> Journal | None:
    """Return the journal of a durable run, None for another."""
    if not definition.durable:
        return None
    stored = stored or StoredJournal()
    suspend_after = runtime.settings.suspend_after if definition.suspend_after is None else definition.suspend_after
    code = Code(runtime.node.version, source_digest(definition.source_file))
    return Journal(claimed.run_id, stored.entries, stored.values, suspend_after, code)


def left_operation(claimed: ClaimedRun, left: Suspended) -> Operation[RunStatus]:
    """Return the operation that records that a durable run's code was left: it waits, or waits for other code."""
    if not isinstance(left, OtherVersion):
        return unload_run(claimed.run_id, claimed.claim)
    made_by, refused_by = left.made_by, left.refused_by
    return await_code(
        claimed.run_id,
        claimed.claim,
        misfit=left.record(),
        made_by=made_by.text(),
        refused_by=refused_by.text(),
        version=made_by.version if made_by.version != refused_by.version else "",
        error=RunError("OtherVersion", left.text),
    )


def finish_operation(
    definition: TaskDefinition,
    run_id: str,
    claim: int,
    outcome: Outcome,
    *,
    hook_errors: Sequence[RunError] = (),
    hooks_left: bool = False,
) -> Operation[Any]:
    """Return the operation that writes an outcome under its claim.

    Args:
        hooks_left: Whether another worker is to run the final hooks, because the code is gone.
    """
    match outcome:
        case Completed(output):
            return operations.runs.finish_run(
                run_id, claim, RunStatus.COMPLETED, output=output, hook_errors=hook_errors
            )
        case Retried(error, delay, machine):
            class_name = f"{machine}.{definition.executor}" if machine else ""
            return operations.runs.retry_run(run_id, claim, error, max(delay, timedelta(0)), class_name=class_name)
        case Ended(error, status):
            return operations.runs.finish_run(
                run_id, claim, status, error=error, hooks_left=hooks_left, hook_errors=hook_errors
            )


def settle_operation(claimed: ClaimedRun, outcome: Outcome) -> Operation[RunStatus] | None:
    """Return the operation that writes a final outcome before its hooks run, None for one that is not final."""
    match outcome:
        case Completed(output):
            return operations.runs.settle_run(claimed.run_id, claimed.claim, RunStatus.COMPLETED, output=output)
        case Ended(error, status):
            return operations.runs.settle_run(claimed.run_id, claimed.claim, status, error=error)
        case Retried():
            return None


def is_same_end(stale: StaleClaimError, outcome: Outcome) -> bool:
    """Whether a write was refused because the store had ended the run in the same way: as timed out."""
    return isinstance(outcome, Ended) and stale.status == outcome.status == RunStatus.TIMED_OUT


def leave_operation(claimed: ClaimedRun, report: Report) -> Operation[Any]:
    """Return the operation that records, of a run that was ended from outside, that its code no longer executes."""
    if report.final_hooks_ran:
        return operations.runs.finish_hooks(claimed.run_id, claimed.claim, report.hook_errors)
    return operations.runs.give_up_run(claimed.run_id, claimed.claim, AttemptOutcome.INTERRUPTED, STOPPED)


def lose_operation(claimed: ClaimedRun, broken: Exception) -> Operation[Any]:
    """Return the operation that records, of a run, that something of ours failed around its code."""
    described = describe(broken)
    error = RunError("NodeFailed", f"{described.type}: {described.message}")
    return operations.runs.give_up_run(claimed.run_id, claimed.claim, AttemptOutcome.LOST, error)
