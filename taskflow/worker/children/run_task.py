"""The Celery task that every taskflow task becomes: claims the run of its ticket and executes one attempt."""

import logging
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from typing import Any, ClassVar, NoReturn

import celery
from billiard.common import terminate_handler_fired  # type: ignore[attr-defined] # not in the stubs
from celery.exceptions import Ignore

from taskflow.broker.canvas import is_performing
from taskflow.broker.messages import TICKET_HEADER, ticket_from_headers
from taskflow.definition.signal import CANCELED, INTERRUPTED, TIMED_OUT
from taskflow.definition.task_definition import TaskDefinition
from taskflow.durations import retry_delay
from taskflow.errors import (
    EagerModeError,
    NodeUnregisteredError,
    RetryAfter,
    RunNotClaimableError,
    StaleClaimError,
    StoreScriptError,
    Suspended,
    TaskflowError,
)
from taskflow.execution.attempt import AttemptRunner
from taskflow.execution.final_hooks import run_final_hooks
from taskflow.execution.forks import leave_if_fork
from taskflow.execution.hook_runner import Report
from taskflow.execution.outcome import Completed, Outcome
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.models import RunStatus
from taskflow.store import operations
from taskflow.store.operations.claims import ClaimedRun
from taskflow.store.operations.journal import read_journal
from taskflow.store.operations.operation import Operation
from taskflow.worker.attempt.claimed import (
    finish_operation,
    is_same_end,
    journal_of,
    leave_operation,
    left_operation,
    lose_operation,
    needs_journal,
    prepare,
    settle_operation,
)
from taskflow.worker.attempt.insist import insist
from taskflow.worker.attempt.receivers import has_receivers_of_outcomes
from taskflow.worker.attempt.reporting import identity_of
from taskflow.worker.attempt.run_context import hooks_context
from taskflow.worker.attempt.runtime import Runtime, runtime_of
from taskflow.worker.attempt.shown import RunFailed, is_plain, show
from taskflow.worker.child.leftovers import end_leftovers
from taskflow.worker.children.alarm import alarm
from taskflow.worker.children.child_waits import ChildWaits

log = logging.getLogger("taskflow.node")


_ENDED_FROM_OUTSIDE = (RunStatus.CANCELED, RunStatus.TIMED_OUT)


class RunTask(celery.Task[Any, Any]):
    """Base class of taskflow's Celery tasks. The store decides everything; Celery's tracer is shown what happened."""

    definition: ClassVar[TaskDefinition]
    abstract = True
    ignore_result = True
    typing = False
    Strategy = "taskflow.worker.tickets.strategy:ticket_strategy"
    Request = "taskflow.worker.children.request:RunRequest"

    def __call__(self, *args: Any, **kwargs: Any) -> object:
        """Execute one attempt of the ticket's run.

        Raises:
            Ignore: The ticket is stale, or the run was taken away meanwhile.
            Retry: Another attempt follows; the store starts it.
        """
        runtime = runtime_of(self.app)
        ticket = ticket_from_headers({"id": self.request.id, TICKET_HEADER: self.request.get(TICKET_HEADER)})
        if ticket is None:
            raise EagerModeError(self.name, ".apply()")
        claimed = self._claim(runtime, ticket.run_id, ticket.reservation)
        try:
            outcome = self._attempt(runtime, claimed)
        except Ignore:
            raise
        except Exception as broken:
            log.exception("run.broken: %s", claimed.run_id)
            self._lose(runtime, claimed, broken)
            raise
        return show(outcome)

    def apply_async(self, args: Any = None, kwargs: Any = None, *others: Any, **options: Any) -> Any:
        """Send a message that becomes a run.

        Raises:
            EagerModeError: ``task_always_eager`` is set.
            PayloadError: The task has several parameters, and the arguments do not fit them.
        """
        if self.app.conf.task_always_eager:
            raise EagerModeError(self.name, "task_always_eager")
        if self.definition.parameters is not None and not is_performing():
            self.definition.bind(args or (), kwargs or {})
        return super().apply_async(args, kwargs, *others, **options)

    def _attempt(self, runtime: Runtime, claimed: ClaimedRun) -> Outcome:
        if claimed.ended is not None:
            self._run_final_hooks(runtime, claimed, claimed.ended)
        child_waits = ChildWaits(runtime, claimed)
        stored = None
        if needs_journal(self.definition, claimed):
            stored = insist(runtime, read_journal(claimed.run_id), run_id=claimed.run_id)
        journal = journal_of(runtime, self.definition, claimed, stored)
        attempt = prepare(
            runtime, self.definition, claimed, partial(_stop_reason, runtime, claimed.run_id), child_waits.make_waits
        )
        try:
            with (
                runtime.reports.attempt(identity_of(claimed), claimed.metadata) as live,
                alarm(attempt.signal, claimed.time_left) as timer,
            ):
                child_waits.begin(live, timer, is_async=self.definition.is_async, journal=journal)
                outcome = _execute(attempt, partial(self._settle, runtime, claimed, live, timer.disarm))
                end_leftovers(live)
            if isinstance(outcome, Suspended):
                self._unload(runtime, claimed, outcome, attempt.report)
        except SystemExit:
            if attempt.report.final_hooks_ran:
                self._leave(runtime, claimed, leave_operation(claimed, attempt.report))
            raise
        except StaleClaimError as stale:
            self._refuse(runtime, claimed, stale, attempt.report)
        finally:
            child_waits.leave()
        self._finish(runtime, claimed, outcome, attempt.report)
        return outcome

    def retry(
        self,
        args: object = None,
        kwargs: object = None,
        exc: BaseException | None = None,
        throw: bool = True,
        eta: datetime | None = None,
        countdown: float | None = None,
        max_retries: int | None = None,
        **options: object,
    ) -> NoReturn:
        """End the attempt for another one, as Celery's ``retry`` does, but through the store: no ETA message.

        Raises:
            RetryAfter: ``eta`` or ``countdown`` was given. Otherwise ``exc`` itself is raised, and the backoff counts.
            WaitError: That time is not possible, for example an ``eta`` without a time zone.
        """
        when = eta if eta is not None else countdown
        if when is not None:
            signal = RetryAfter(when, str(exc or ""))
            retry_delay(signal, datetime.now(UTC))
            raise signal from exc
        raise exc or RunFailed(f"{self.name} asked for a retry")

    def _claim(self, runtime: Runtime, run_id: str, reservation: int) -> ClaimedRun:
        node, pid = runtime.node, os.getpid()
        claim = operations.runs.claim_run(
            run_id, node_id=node.id, reservation=reservation, pid=pid, version=node.version
        )
        try:
            return runtime.relay.claim(runtime.store, run_id, claim) or insist(runtime, claim, run_id=run_id)
        except (RunNotClaimableError, NodeUnregisteredError) as refused:
            log.info("ticket.dropped: %s", refused)
            raise Ignore(str(refused)) from refused

    def _run_final_hooks(self, runtime: Runtime, claimed: ClaimedRun, ended: RunStatus) -> NoReturn:
        """Run the hooks of a run that ended without code of its own. They run again if this process dies meanwhile."""
        context = hooks_context(runtime, self.definition, claimed)
        with runtime.reports.attempt(identity_of(claimed), claimed.metadata) as live:
            errors = run_final_hooks(
                self.definition,
                claimed.payload,
                context,
                status=ended,
                error=claimed.error,
                output=claimed.output,
                large_values=runtime.large_values,
                stop_reason=partial(_stop_reason, runtime, claimed.run_id),
            )
            end_leftovers(live)
        insist(runtime, operations.runs.finish_hooks(claimed.run_id, claimed.claim, errors), run_id=claimed.run_id)
        raise Ignore(f"Run {claimed.run_id} had ended {ended}; its final hooks were run.")

    def _settle(
        self, runtime: Runtime, claimed: ClaimedRun, live: LiveRun, disarm: Callable[[], None], outcome: Outcome
    ) -> None:
        """Write a final outcome before its hooks run."""
        leave_if_fork()
        disarm()
        runtime.reports.send(live)
        try:
            if (settle := settle_operation(claimed, outcome)) is not None:
                insist(runtime, settle, run_id=claimed.run_id)
        except StaleClaimError as stale:
            if not is_same_end(stale, outcome):
                raise

    def _lose(self, runtime: Runtime, claimed: ClaimedRun, broken: Exception) -> None:
        """Start the run again, on the budget of lost attempts, because something of ours failed around its code."""
        self._leave(runtime, claimed, lose_operation(claimed, broken))

    def _finish(self, runtime: Runtime, claimed: ClaimedRun, outcome: Outcome, report: Report) -> None:
        if isinstance(outcome, Completed) and is_plain(outcome.value) and not has_receivers_of_outcomes():
            write = finish_operation(
                self.definition, claimed.run_id, claimed.claim, outcome, hook_errors=report.hook_errors
            )
            late = partial(self._settle_late, runtime, claimed, outcome, report)
            if runtime.relay.defer(claimed.run_id, write, late):
                return
        self._settle_now(runtime, claimed, outcome, report)

    def _settle_late(self, runtime: Runtime, claimed: ClaimedRun, outcome: Outcome, report: Report) -> None:
        """Write an outcome that Celery has as a success. If the store refuses it now, Celery's record stays."""
        try:
            with suppress(Ignore):
                self._settle_now(runtime, claimed, outcome, report)
        except StoreScriptError as broken:
            self._lose(runtime, claimed, broken)

    def _settle_now(self, runtime: Runtime, claimed: ClaimedRun, outcome: Outcome, report: Report) -> None:
        errors = report.hook_errors
        finish = finish_operation(self.definition, claimed.run_id, claimed.claim, outcome, hook_errors=errors)
        try:
            insist(runtime, finish, run_id=claimed.run_id)
        except StaleClaimError as stale:
            self._refuse(runtime, claimed, stale, report)

    def _leave(self, runtime: Runtime, claimed: ClaimedRun, operation: Operation[Any]) -> None:
        """Write that the code no longer executes, unless its claim has ended anyway."""
        with suppress(StaleClaimError):
            insist(runtime, operation, run_id=claimed.run_id)

    def _refuse(self, runtime: Runtime, claimed: ClaimedRun, stale: StaleClaimError, report: Report) -> NoReturn:
        """Drop the outcome: the run was ended from outside, or another node has it."""
        log.warning("result.refused: %s", stale)
        if stale.status in _ENDED_FROM_OUTSIDE:
            self._leave(runtime, claimed, leave_operation(claimed, report))
        raise Ignore(str(stale)) from stale

    def _unload(self, runtime: Runtime, claimed: ClaimedRun, suspended: Suspended, report: Report) -> NoReturn:
        """Write that the code was left: the run waits without a process."""
        try:
            insist(runtime, left_operation(claimed, suspended), run_id=claimed.run_id)
        except StaleClaimError as stale:
            self._refuse(runtime, claimed, stale, report)
        raise Ignore(str(suspended)) from suspended


def _execute(attempt: AttemptRunner, settle: Callable[[Outcome], None]) -> Outcome | Suspended:
    """Execute an attempt. A suspended one ends like others, so that its reports are sent."""
    try:
        return attempt.execute(settle)
    except Suspended as suspended:
        return suspended
    finally:
        leave_if_fork(sys.exception())


def _stop_reason(runtime: Runtime, run_id: str) -> str:
    """Return why this child was asked to leave, by the status of its run, or an empty text when it was not asked.

    Its handler of SIGTERM has run then (``billiard.common``). The alarm of ``max_duration`` sets the signal itself.
    """
    if not terminate_handler_fired():
        return ""
    try:
        status = runtime.store.run_for(run_id, operations.runs.read_result(run_id))[0]
    except TaskflowError:
        return INTERRUPTED
    return {RunStatus.CANCELED: CANCELED, RunStatus.TIMED_OUT: TIMED_OUT}.get(status, INTERRUPTED)
