"""One run in an asyncio node: its claim, its execution as a coroutine, and the writing of its outcome."""

import asyncio
import contextlib
import logging
import time
from functools import partial
from typing import TypeVar

from taskflow.definition.signal import CANCELED
from taskflow.errors import NodeUnregisteredError, RunNotClaimableError, StaleClaimError, Suspended
from taskflow.execution.attempt import AttemptRunner
from taskflow.execution.final_hooks import arun_final_hooks
from taskflow.execution.hook_runner import HookRunner, Report
from taskflow.execution.journal import Journal
from taskflow.execution.outcome import Completed, Ended, Outcome
from taskflow.execution.reporting.current import entered_run
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.waiting.coroutines import CoroutineWaits
from taskflow.execution.waiting.durable_coroutines import DurableCoroutineWaits
from taskflow.models import RunStatus
from taskflow.store import operations
from taskflow.store.operations.journal import read_journal
from taskflow.store.operations.operation import Operation
from taskflow.store.pipeline import Pipeline
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
from taskflow.worker.attempt.waits import NodeWaitStore
from taskflow.worker.coroutines.running import CoroutineParking, EarlyCancels, RunningCoroutine, RunningCoroutines
from taskflow.worker.coroutines.taken_ticket import RunObserver, TakenTicket

log = logging.getLogger("taskflow.node")
ResultT = TypeVar("ResultT")


class AsyncAttempts:
    """Takes runs from their tickets to their ends, in one event loop."""

    def __init__(self, runtime: Runtime, observer: RunObserver, running: RunningCoroutines, pipeline: Pipeline) -> None:
        self._runtime = runtime
        self._observer = observer
        self._running = running
        self._pipeline = pipeline

    async def run(self, ticket: TakenTicket) -> None:
        """Claim a ticket's run and execute it, if it is still to be executed."""
        run = None
        canceled = self._running.expect(ticket.run_id)
        try:
            run = None if self._running.is_leaving else await self._claim(ticket)
            if run is not None and run.claimed.ended is not None:
                await self._final_hooks(run, run.claimed.ended)
            elif run is not None:
                await self._attempt(run, canceled)
        except Exception as broken:
            log.exception("run.broken: %s", ticket.run_id)
            self._observer.on_broken(ticket, broken)
            if run is not None:
                await self._lose(run, broken)
        finally:
            self._running.forget(ticket.run_id, canceled)
            self._observer.on_leave(ticket)

    async def _claim(self, ticket: TakenTicket) -> RunningCoroutine | None:
        node = self._runtime.node
        claim = operations.runs.claim_run(
            ticket.run_id, node_id=node.id, reservation=ticket.reservation, version=node.version
        )
        try:
            return RunningCoroutine(ticket, *await self._pipeline.run_for(ticket.run_id, claim))
        except (RunNotClaimableError, NodeUnregisteredError) as refused:
            log.info("ticket.dropped: %s", refused)
            self._observer.on_drop(ticket)
            return None

    async def _attempt(self, run: RunningCoroutine, canceled: EarlyCancels) -> None:
        """Execute the run's code, and write the outcome."""
        self._observer.on_start(run.ticket)
        began = time.monotonic()
        with self._runtime.reports.one_of_many(identity_of(run.claimed), run.claimed.metadata) as live:
            executed = await self._execute(run, live, canceled)
        if executed is not None:
            outcome, report = executed
            seconds = time.monotonic() - began
            if await self._finish(run, outcome, report):
                self._observer.on_end(run.ticket, outcome, seconds)

    async def _execute(
        self, run: RunningCoroutine, live: LiveRun, canceled: EarlyCancels
    ) -> tuple[Outcome, Report] | None:
        """Execute the run's code to its end. Return None when the code was left before, which is written then."""
        attempt = await self._prepare(run, live)
        with entered_run(live):
            execution = attempt.aexecute(partial(self._settle, run, live))
            run.begin(asyncio.get_running_loop().create_task(execution, name=run.run_id), attempt)
        self._running.add(run, canceled)
        try:
            outcome = await run.task
            await self._runtime.reports.asend(live)
        except Suspended as left:
            await self._unload(run, live, left, attempt.report)
        except asyncio.CancelledError:
            await self._leave(run, attempt.report)
        except StaleClaimError as stale:
            await self._refuse(run, stale, attempt.report)
        else:
            return outcome, attempt.report
        finally:
            self._running.remove(run)
        return None

    async def _prepare(self, run: RunningCoroutine, live: LiveRun) -> AttemptRunner:
        definition, stored = run.ticket.definition, None
        if needs_journal(definition, run.claimed):
            stored = await self._submit(run, read_journal(run.run_id))
        journal = journal_of(self._runtime, definition, run.claimed, stored)
        return prepare(self._runtime, definition, run.claimed, make_waits=partial(self._make_waits, run, live, journal))

    def _make_waits(
        self, run: RunningCoroutine, live: LiveRun, journal: Journal | None, hooks: HookRunner
    ) -> CoroutineWaits:
        wait_store = NodeWaitStore(
            run.claimed,
            live,
            partial(self._submit, run),
            CoroutineParking(self._running, run),
            self._runtime.reports.send,
        )
        run.waits = (
            CoroutineWaits(wait_store, hooks) if journal is None else DurableCoroutineWaits(wait_store, hooks, journal)
        )
        return run.waits

    async def _settle(self, run: RunningCoroutine, live: LiveRun, outcome: Outcome) -> None:
        """Write a final outcome before its hooks run. From then on the run's time does not count."""
        run.is_settled = isinstance(outcome, Completed | Ended)
        run.disarm()
        await self._runtime.reports.asend(live)
        try:
            if (settle := settle_operation(run.claimed, outcome)) is not None:
                await self._submit(run, settle)
        except StaleClaimError as stale:
            if not is_same_end(stale, outcome):
                raise

    async def _finish(self, run: RunningCoroutine, outcome: Outcome, report: Report) -> bool:
        """Write the outcome of the attempt. Return False when the store has refused it."""
        definition, errors = run.ticket.definition, report.hook_errors
        try:
            await self._submit(run, finish_operation(definition, run.run_id, run.claim, outcome, hook_errors=errors))
        except StaleClaimError as stale:
            await self._refuse(run, stale, report)
            return False
        return True

    async def _final_hooks(self, run: RunningCoroutine, ended: RunStatus) -> None:
        """Run the hooks of a run that ended without code of its own. They run again if this node dies meanwhile."""
        definition, claimed = run.ticket.definition, run.claimed
        self._observer.on_drop(run.ticket)
        with self._runtime.reports.one_of_many(identity_of(claimed), claimed.metadata) as live:
            with entered_run(live):
                errors = await arun_final_hooks(
                    definition,
                    claimed.payload,
                    hooks_context(self._runtime, definition, claimed),
                    status=ended,
                    error=claimed.error,
                    output=claimed.output,
                    large_values=self._runtime.large_values,
                )
            await self._runtime.reports.asend(live)
        await self._submit(run, operations.runs.finish_hooks(run.run_id, run.claim, errors))

    async def _unload(self, run: RunningCoroutine, live: LiveRun, left: Suspended, report: Report) -> None:
        """Write that the code was left: the run waits without a process."""
        if isinstance(run.waits, DurableCoroutineWaits):
            await run.waits.end()
        await self._runtime.reports.asend(live)
        self._observer.on_drop(run.ticket)
        try:
            await self._submit(run, left_operation(run.claimed, left))
        except StaleClaimError as stale:
            await self._refuse(run, stale, report)

    async def _refuse(self, run: RunningCoroutine, stale: StaleClaimError, report: Report) -> None:
        """Drop the outcome: the run was ended from outside, or another node has it."""
        log.warning("result.refused: %s", stale)
        if stale.status in (RunStatus.CANCELED, RunStatus.TIMED_OUT):
            await self._leave(run, report)

    async def _leave(self, run: RunningCoroutine, report: Report) -> None:
        """Write that the code no longer executes. A run that was ended from outside gives its slot back now."""
        self._observer.on_drop(run.ticket, is_canceled=run.signal.reason == CANCELED)
        with contextlib.suppress(StaleClaimError):
            await self._submit(run, leave_operation(run.claimed, report))

    async def _lose(self, run: RunningCoroutine, broken: Exception) -> None:
        """Start the run again, on the budget of lost attempts, because something of ours failed around its code."""
        with contextlib.suppress(StaleClaimError):
            await self._submit(run, lose_operation(run.claimed, broken))

    def _submit(self, run: RunningCoroutine, operation: Operation[ResultT]) -> "asyncio.Future[ResultT]":
        return self._pipeline.submit(operation, run.shard)
