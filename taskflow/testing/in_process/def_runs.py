"""One attempt of a ``def`` task in the tests' own process: a greenlet, which leaves its thread to others as it waits.

The attempt itself is that of a worker's child (``execution/``, ``worker/attempt/``). What differs is how it waits: it
switches to the world that executes runs (``world.py``) instead of blocking its process.
"""

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from greenlet import getcurrent, greenlet

from taskflow.definition.task_definition import TaskDefinition
from taskflow.errors import StaleClaimError, Suspended
from taskflow.execution.attempt import AttemptRunner
from taskflow.execution.final_hooks import run_final_hooks
from taskflow.execution.hook_runner import HookRunner, Report
from taskflow.execution.outcome import Ended, Outcome, Retried
from taskflow.execution.reporting.current import entered_run
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.waiting.blocking import BlockingWaits
from taskflow.execution.waiting.durable_blocking import DurableBlockingWaits
from taskflow.models import RunStatus
from taskflow.seams.waits import Waits
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
from taskflow.worker.attempt.reporting import identity_of
from taskflow.worker.attempt.run_context import hooks_context
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.attempt.waits import ChildWaitStore

log = logging.getLogger("taskflow.testing")
_OF_THE_RUN: Final = (Exception, SystemExit, GeneratorExit, asyncio.CancelledError)
"""Exceptions of a run's code that fail its attempt alone."""
_ENDED_FROM_OUTSIDE: Final = (RunStatus.CANCELED, RunStatus.TIMED_OUT)


class _RunGreenlet(greenlet):
    """The greenlet of a run."""

    run_here: "DefRun"


def run_of_caller() -> "DefRun | None":
    """Return the run whose code calls, None for the code of a test."""
    current = getcurrent()
    return current.run_here if isinstance(current, _RunGreenlet) else None


class DefRun:
    """One attempt.

    Attributes:
        thread: The thread that it executes in.
        is_parked: Whether its code waits and is notified by the store.
        is_looking: Whether its code waits for something that it looks for itself, as the end of another run.
        interruption: The exception with which somebody has ended the test while its code executed: Ctrl-C, or the
            time limit of a test.
        will_retry: Whether another attempt follows.
    """

    def __init__(self, runtime: Runtime, definition: TaskDefinition, claimed: ClaimedRun) -> None:
        self._runtime, self._definition, self.claimed = runtime, definition, claimed
        self.thread = threading.get_ident()
        self.is_parked = self.is_looking = self.will_retry = False
        self.interruption: BaseException | None = None
        self._stop_reason = ""
        self._greenlet = _RunGreenlet(self._execute)
        self._greenlet.run_here = self
        self._greenlet.gr_context = contextvars.Context()  # a worker's code has nothing of its caller's context

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.claimed.run_id

    @property
    def has_ended(self) -> bool:
        """Whether its code has returned."""
        return self._greenlet.dead

    def go_on(self) -> None:
        """Execute its code until it waits or ends."""
        self.is_parked = self.is_looking = False
        self._greenlet.parent = getcurrent()
        self._greenlet.switch()

    def stop(self, reason: str) -> None:
        """End its code, which waits, with SystemExit, as a worker ends a child."""
        self._stop_reason = reason
        self.go_on()

    def park(self) -> None:
        """Let others execute until the store resumes the run. Called by its code."""
        self.is_parked = True
        self._leave()

    def look_later(self) -> None:
        """Let others execute. Called by its code, which then looks whether what it waits for has happened."""
        self.is_looking = True
        self._leave()

    def _leave(self) -> None:
        parent = self._greenlet.parent
        assert parent is not None
        parent.switch()
        if self._stop_reason:
            raise SystemExit(self._stop_reason)

    def _execute(self) -> None:
        try:
            self._attempt()
        except Exception as broken:
            log.exception("run.broken: %s", self.run_id)
            self._write_leniently(lose_operation(self.claimed, broken))

    def _attempt(self) -> None:
        runtime, claimed, definition = self._runtime, self.claimed, self._definition
        if claimed.ended is not None:
            self._run_final_hooks(claimed.ended)
            return
        stored = self._write(read_journal(claimed.run_id)) if needs_journal(definition, claimed) else None
        journal = journal_of(runtime, definition, claimed, stored)
        with runtime.reports.one_of_many(identity_of(claimed), claimed.metadata) as live:

            def make_waits(hooks: HookRunner) -> Waits:
                wait_store = _HereWaitStore(runtime, claimed, live, self)
                if journal is None:
                    return BlockingWaits(wait_store, hooks)
                return DurableBlockingWaits(wait_store, hooks, journal)

            attempt = prepare(runtime, definition, claimed, lambda: self._stop_reason, make_waits)
            try:
                outcome = self._executed(attempt, live)
            except SystemExit:
                self._write_leniently(leave_operation(claimed, attempt.report))
            except StaleClaimError as stale:
                self._refuse(stale, attempt.report)
            else:
                self._finish(outcome, attempt.report)

    def _executed(self, attempt: AttemptRunner, live: LiveRun) -> Outcome | Suspended:
        try:
            with entered_run(live):
                return attempt.execute(self._settle(live))
        except Suspended as left:
            return left
        finally:
            live.finish_text()
            self._runtime.reports.send(live)

    def _settle(self, live: LiveRun) -> Callable[[Outcome], None]:
        def settle(outcome: Outcome) -> None:
            self._runtime.reports.send(live)
            operation = settle_operation(self.claimed, outcome)
            try:
                if operation is not None:
                    self._write(operation)
            except StaleClaimError as stale:
                if not is_same_end(stale, outcome):
                    raise

        return settle

    def _finish(self, outcome: Outcome | Suspended, report: Report) -> None:
        claimed = self.claimed
        if isinstance(outcome, Suspended):
            operation: Operation[Any] = left_operation(claimed, outcome)
        else:
            errors = report.hook_errors
            operation = finish_operation(self._definition, self.run_id, claimed.claim, outcome, hook_errors=errors)
        self.will_retry = isinstance(outcome, Retried)
        cause = outcome.cause if isinstance(outcome, Ended | Retried) else None
        self.interruption = None if cause is None or isinstance(cause, _OF_THE_RUN) else cause
        try:
            self._write(operation)
        except StaleClaimError as stale:
            self._refuse(stale, report)

    def _refuse(self, stale: StaleClaimError, report: Report) -> None:
        if stale.status in _ENDED_FROM_OUTSIDE:
            self._write_leniently(leave_operation(self.claimed, report))

    def _run_final_hooks(self, ended: RunStatus) -> None:
        runtime, claimed = self._runtime, self.claimed
        with runtime.reports.one_of_many(identity_of(claimed), claimed.metadata) as live:
            with entered_run(live):
                errors = run_final_hooks(
                    self._definition,
                    claimed.payload,
                    hooks_context(runtime, self._definition, claimed),
                    status=ended,
                    error=claimed.error,
                    output=claimed.output,
                    large_values=runtime.large_values,
                    stop_reason=lambda: "",
                )
            runtime.reports.send(live)
        self._write(operations.runs.finish_hooks(self.run_id, claimed.claim, errors))

    def _write(self, operation: Operation[Any]) -> Any:
        return self._runtime.store.run_for(self.run_id, operation)

    def _write_leniently(self, operation: Operation[Any]) -> None:
        with suppress(StaleClaimError):
            self._write(operation)


class _Unobserved:
    """The observer of a wait that nobody must know of."""

    def park(self) -> None:
        """Do nothing."""

    def resume(self) -> None:
        """Do nothing."""

    def suspend(self) -> None:
        """Do nothing."""


class _HereWaitStore(ChildWaitStore):
    """The store for the waits of a greenlet."""

    def __init__(self, runtime: Runtime, claimed: ClaimedRun, live: LiveRun, run: DefRun) -> None:
        super().__init__(runtime, claimed, live, _Unobserved())
        self._run = run

    def listen(self, seconds: float) -> None:
        """Let others execute until the store resumes the run."""
        self._run.park()
