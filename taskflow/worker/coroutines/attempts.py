"""What one run goes through in an asyncio node: claimed, executed as a coroutine, and written down."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

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
from taskflow.store.operations.journal import read_journal, unload_run
from taskflow.store.operations.nodes import read_node_runs
from taskflow.store.operations.operation import Operation
from taskflow.store.pipeline import Pipeline
from taskflow.worker.attempt.claimed import (
    finish_operation,
    hooks_context,
    is_same_end,
    journal_of,
    left,
    lost,
    needs_journal,
    prepare,
    settle_operation,
    take_over,
)
from taskflow.worker.attempt.reporting import identity_of
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.attempt.waits import NodeWaitStore
from taskflow.worker.coroutines.run_shards import claim_on_its_shard
from taskflow.worker.coroutines.running import EarlyCancels, RunningCoroutine, RunningCoroutines
from taskflow.worker.coroutines.taken_ticket import TakenTicket, Watcher

log = logging.getLogger("taskflow.node")
ResultT = TypeVar("ResultT")


class AsyncAttempts:
    """Takes runs from their tickets to their ends, in one event loop."""

    def __init__(self, runtime: Runtime, watcher: Watcher, held: RunningCoroutines, pipeline: Pipeline) -> None:
        self._runtime = runtime
        self._watcher = watcher
        self._held = held
        self._pipeline = pipeline

    async def run(self, ticket: TakenTicket) -> None:
        """Claim a ticket's run and execute it, if it is still to be executed."""
        held = None
        canceled = self._held.expect(ticket.run_id)
        try:
            held = None if self._held.is_leaving else await self._claim(ticket)
            if held is not None and held.claimed.ended is not None:
                await self._final_hooks(held, held.claimed.ended)
            elif held is not None:
                await self._attempt(held, canceled)
        except Exception as broken:
            log.exception("run.broken: %s", ticket.run_id)
            if held is not None:
                await self._lose(held, broken)
        finally:
            self._held.forget(ticket.run_id, canceled)

    async def _claim(self, ticket: TakenTicket) -> RunningCoroutine | None:
        node = self._runtime.node
        claim = operations.runs.claim_run(
            ticket.run_id, node_id=node.id, reservation=ticket.reservation, version=node.version
        )
        try:
            shards = self._runtime.settings.shards
            return RunningCoroutine(ticket, *await claim_on_its_shard(self._pipeline, shards, claim, ticket.run_id))
        except (RunNotClaimableError, NodeUnregisteredError) as refused:
            log.info("ticket.dropped: %s", refused)
            self._watcher.dropped(ticket)
            return None

    async def _attempt(self, held: RunningCoroutine, canceled: EarlyCancels) -> None:
        """Execute the run's code, and write how that ended."""
        self._watcher.started(held.ticket)
        began = time.monotonic()
        with self._runtime.reports.one_of_many(identity_of(held.claimed), held.claimed.metadata) as live:
            executed = await self._execute(held, live, canceled)
        if executed is not None:
            outcome, report = executed
            self._watcher.ended(held.ticket, outcome, time.monotonic() - began)
            await self._finish(held, outcome, report)

    async def _execute(
        self, held: RunningCoroutine, live: LiveRun, canceled: EarlyCancels
    ) -> tuple[Outcome, Report] | None:
        """Execute the run's code to its end. Returns None when it was left before: that is written then."""
        attempt = await self._prepare(held, live)
        with entered_run(live):
            execution = attempt.aexecute(partial(self._settle, held, live))
            held.begin(asyncio.get_running_loop().create_task(execution, name=held.run_id), attempt.signal)
        self._held.add(held, canceled)
        try:
            outcome = await held.task
            await self._runtime.reports.asend(live)
        except Suspended:
            await self._unload(held, live, attempt.report)
        except asyncio.CancelledError:
            await self._left(held, attempt.report)
        except StaleClaimError as stale:
            await self._refused(held, stale, attempt.report)
        else:
            return outcome, attempt.report
        finally:
            self._held.remove(held)
        return None

    async def _prepare(self, held: RunningCoroutine, live: LiveRun) -> AttemptRunner:
        definition, stored = held.ticket.definition, None
        if needs_journal(definition, held.claimed):
            stored = await self._submit(held, read_journal(held.run_id))
        journal = journal_of(self._runtime, definition, held.claimed, stored)
        return prepare(
            self._runtime, definition, held.claimed, make_waits=partial(self._make_waits, held, live, journal)
        )

    def _make_waits(
        self, held: RunningCoroutine, live: LiveRun, journal: Journal | None, hooks: HookRunner
    ) -> CoroutineWaits:
        wait_store = NodeWaitStore(
            held.claimed,
            live,
            partial(self._submit, held),
            partial(self._held.park, held),
            partial(self._held.resume, held),
            partial(self._held.suspended, held),
        )
        held.waits = (
            CoroutineWaits(wait_store, hooks) if journal is None else DurableCoroutineWaits(wait_store, hooks, journal)
        )
        return held.waits

    async def _settle(self, held: RunningCoroutine, live: LiveRun, outcome: Outcome) -> None:
        """Write a final outcome down before its hooks run; from then on its time does not count."""
        held.is_settled = isinstance(outcome, Completed | Ended)
        held.disarm()
        await self._runtime.reports.asend(live)
        try:
            await self._write(held, lambda: settle_operation(held.claimed, outcome))
        except StaleClaimError as stale:
            if not is_same_end(stale, outcome):
                raise

    async def _finish(self, held: RunningCoroutine, outcome: Outcome, report: Report) -> None:
        """Write how the attempt ended."""
        definition, errors = held.ticket.definition, report.hook_errors
        try:
            await self._write(
                held, lambda: finish_operation(definition, held.run_id, held.claim, outcome, hook_errors=errors)
            )
        except StaleClaimError as stale:
            await self._refused(held, stale, report)

    async def _final_hooks(self, held: RunningCoroutine, ended: RunStatus) -> None:
        """Run the hooks of a run that ended without code of its own. A death in here has them run again."""
        definition, claimed = held.ticket.definition, held.claimed
        self._watcher.dropped(held.ticket)
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
        await self._submit(held, operations.runs.finish_hooks(held.run_id, held.claim, errors))

    async def _unload(self, held: RunningCoroutine, live: LiveRun, report: Report) -> None:
        """Its code was left: the run waits without a process."""
        if isinstance(held.waits, DurableCoroutineWaits):
            await held.waits.end()
        await self._runtime.reports.asend(live)
        self._watcher.dropped(held.ticket)
        try:
            await self._submit(held, unload_run(held.run_id, held.claim))
        except StaleClaimError as stale:
            await self._refused(held, stale, report)

    async def _refused(self, held: RunningCoroutine, stale: StaleClaimError, report: Report) -> None:
        """The run was ended from outside, or is another node's: the outcome does not count."""
        log.warning("result.refused: %s", stale)
        if stale.status in (RunStatus.CANCELED, RunStatus.TIMED_OUT):
            await self._left(held, report)

    async def _left(self, held: RunningCoroutine, report: Report) -> None:
        """Tell the store that the code no longer executes: a run ended from outside gives its slot back now."""
        self._watcher.dropped(held.ticket)
        with contextlib.suppress(StaleClaimError):
            await self._write(held, lambda: left(held.claimed, report))

    async def _lose(self, held: RunningCoroutine, broken: Exception) -> None:
        """Something of ours failed around a run's code: it starts again, on the budget of lost attempts."""
        with contextlib.suppress(StaleClaimError):
            await self._write(held, lambda: lost(held.claimed, broken))

    async def _write(self, held: RunningCoroutine, operation: Callable[[], Operation[Any] | None]) -> None:
        """Write how an attempt ended, under the newest claim of its code."""
        while (write := operation()) is not None:
            try:
                await self._submit(held, write)
                return
            except StaleClaimError as stale:
                found = await self._submit(held, read_node_runs(self._runtime.node.id))
                if not take_over(held.claimed, stale, found, 0):
                    raise

    def _submit(self, held: RunningCoroutine, operation: Operation[ResultT]) -> "asyncio.Future[ResultT]":
        return self._pipeline.submit(operation, held.shard)
