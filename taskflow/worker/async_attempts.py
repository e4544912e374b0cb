"""What one run goes through in an asyncio node: claimed, executed as a coroutine, and written down."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from taskflow.errors import NodeUnregisteredError, RunNotClaimableError, StaleClaimError, Suspended
from taskflow.execution.final_hooks import arun_final_hooks
from taskflow.execution.hook_runner import HookRunner, Report
from taskflow.execution.journal import Journal
from taskflow.execution.outcome import Completed, Ended, Outcome
from taskflow.execution.reporting.current import entered_run
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.waiting.coroutines import CoroutineWaits
from taskflow.execution.waiting.durable_coroutines import DurableCoroutineWaits
from taskflow.models import AttemptOutcome, RunError, RunStatus
from taskflow.store import operations
from taskflow.store.journal_operations import read_journal, unload_run
from taskflow.store.node_operations import read_node_runs
from taskflow.store.operations import Operation
from taskflow.store.records import ClaimedRun
from taskflow.worker.attempts import (
    hooks_context,
    is_same_end,
    journal_of,
    keep,
    left,
    needs_journal,
    prepare,
    settle,
    take_over,
)
from taskflow.worker.held_runs import HeldRun, HeldRuns
from taskflow.worker.orders import Order, Watcher
from taskflow.worker.reporting import identity_of
from taskflow.worker.run_shards import RunShards
from taskflow.worker.runtime import Runtime
from taskflow.worker.waits import NodeDesk

log = logging.getLogger("taskflow.node")


class AsyncAttempts:
    """Takes runs from their tickets to their ends, in one event loop."""

    def __init__(self, runtime: Runtime, watcher: Watcher, held: HeldRuns, store: RunShards) -> None:
        self._runtime = runtime
        self._watcher = watcher
        self._held = held
        self._store = store

    async def run(self, order: Order) -> None:
        """Claim a ticket's run and execute it, if it is still to be executed."""
        claimed = None
        self._held.expect(order.run_id)
        try:
            claimed = None if self._held.is_leaving else await self._claim(order)
            if claimed is not None and claimed.ended is not None:
                await self._final_hooks(order, claimed, claimed.ended)
            elif claimed is not None:
                await self._attempt(HeldRun(order, claimed))
        except Exception as broken:
            log.exception("run.broken: %s", order.run_id)
            if claimed is not None:
                await self._lose(claimed, broken)
        finally:
            self._held.forget(order.run_id)
            self._store.forget(order.run_id)

    async def _claim(self, order: Order) -> ClaimedRun | None:
        node = self._runtime.node
        claim = operations.claim_run(order.run_id, node_id=node.id, reservation=order.reservation, version=node.version)
        try:
            return await self._store.claim(claim, order.run_id)
        except (RunNotClaimableError, NodeUnregisteredError) as refused:
            log.info("ticket.dropped: %s", refused)
            self._watcher.dropped(order)
            return None

    async def _attempt(self, held: HeldRun) -> None:
        order, claimed = held.order, held.claimed
        self._watcher.started(order)
        began = time.monotonic()
        live = self._runtime.reports.open(identity_of(claimed), claimed.metadata)
        journal = await self._read_journal(order, claimed)
        make_waits = partial(self._waits, held, live, journal)
        attempt = prepare(self._runtime, order.definition, claimed, make_waits=make_waits)
        with entered_run(live):
            execution = attempt.aexecute(partial(self._keep, held, live))
            held.begin(asyncio.get_running_loop().create_task(execution, name=order.run_id), attempt.signal)
        self._held.add(held)
        try:
            outcome = await held.task
            await self._runtime.reports.asend(live)
        except Suspended:
            await self._unload(held, live, attempt.report)
            return
        except asyncio.CancelledError:
            await self._left(order, claimed, attempt.report)
            return
        except StaleClaimError as stale:
            await self._refused(order, claimed, stale, attempt.report)
            return
        finally:
            self._held.remove(held)
            self._runtime.reports.close(live)
        self._watcher.ended(order, outcome, time.monotonic() - began)
        await self._settle(order, claimed, outcome, attempt.report)

    async def _read_journal(self, order: Order, claimed: ClaimedRun) -> Journal | None:
        stored = None
        if needs_journal(order.definition, claimed):
            stored = await self._store.submit(read_journal(order.run_id), order.run_id)
        return journal_of(self._runtime, order.definition, claimed, stored)

    def _waits(self, held: HeldRun, live: LiveRun, journal: Journal | None, hooks: HookRunner) -> CoroutineWaits:
        desk = NodeDesk(
            held.claimed,
            live,
            lambda operation: self._store.submit(operation, held.run_id),
            partial(self._held.park, held),
            partial(self._held.resume, held),
            partial(self._held.suspended, held),
        )
        held.waits = CoroutineWaits(desk, hooks) if journal is None else DurableCoroutineWaits(desk, hooks, journal)
        return held.waits

    async def _keep(self, held: HeldRun, live: LiveRun, outcome: Outcome) -> None:
        """Write a final outcome down before its hooks run; from then on its time does not count."""
        held.is_settled = isinstance(outcome, Completed | Ended)
        held.disarm()
        await self._runtime.reports.asend(live)
        try:
            await self._write(held.claimed, lambda: keep(held.claimed, outcome))
        except StaleClaimError as stale:
            if not is_same_end(stale, outcome):
                raise

    async def _settle(self, order: Order, claimed: ClaimedRun, outcome: Outcome, report: Report) -> None:
        """Write how the attempt ended."""
        errors = report.hook_errors
        try:
            await self._write(
                claimed, lambda: settle(order.definition, order.run_id, claimed.claim, outcome, hook_errors=errors)
            )
        except StaleClaimError as stale:
            await self._refused(order, claimed, stale, report)

    async def _final_hooks(self, order: Order, claimed: ClaimedRun, ended: RunStatus) -> None:
        """Run the hooks of a run that ended without code of its own. A death in here has them run again."""
        self._watcher.dropped(order)
        context = hooks_context(self._runtime, order.definition, claimed)
        live = self._runtime.reports.open(identity_of(claimed), claimed.metadata)
        with entered_run(live):
            errors = await arun_final_hooks(
                order.definition,
                claimed.payload,
                context,
                status=ended,
                error=claimed.error,
                output=claimed.output,
                values=self._runtime.values,
            )
        await self._runtime.reports.asend(live)
        self._runtime.reports.close(live)
        await self._store.submit(operations.finish_hooks(order.run_id, claimed.claim, errors), order.run_id)

    async def _unload(self, held: HeldRun, live: LiveRun, report: Report) -> None:
        """Its code was left: the run waits without a process."""
        order, claimed = held.order, held.claimed
        if isinstance(held.waits, DurableCoroutineWaits):
            await held.waits.end()
        await self._runtime.reports.asend(live)
        self._watcher.dropped(order)
        try:
            await self._store.submit(unload_run(order.run_id, claimed.claim), order.run_id)
        except StaleClaimError as stale:
            await self._refused(order, claimed, stale, report)

    async def _refused(self, order: Order, claimed: ClaimedRun, stale: StaleClaimError, report: Report) -> None:
        """The run was ended from outside, or is another node's: the outcome does not count."""
        log.warning("result.refused: %s", stale)
        if stale.status in (RunStatus.CANCELED, RunStatus.TIMED_OUT):
            await self._left(order, claimed, report)

    async def _left(self, order: Order, claimed: ClaimedRun, report: Report) -> None:
        """Tell the store that the code no longer executes: a run ended from outside gives its slot back now."""
        self._watcher.dropped(order)
        with contextlib.suppress(StaleClaimError):
            await self._write(claimed, lambda: left(claimed, report))

    async def _lose(self, claimed: ClaimedRun, broken: Exception) -> None:
        """Something of ours failed around a run's code: it starts again, on the budget of lost attempts."""
        error = RunError("NodeFailed", f"{type(broken).__name__}: {broken}")
        lost = operations.give_up_run(claimed.run_id, claimed.claim, AttemptOutcome.LOST, error)
        await self._store.submit(lost, claimed.run_id)

    async def _write(self, claimed: ClaimedRun, operation: Callable[[], Operation[Any] | None]) -> None:
        """Write how an attempt ended, under the newest claim of its code."""
        while (write := operation()) is not None:
            try:
                await self._store.submit(write, claimed.run_id)
                return
            except StaleClaimError as stale:
                held = await self._store.submit(read_node_runs(self._runtime.node.id), claimed.run_id)
                if not take_over(claimed, stale, held, 0):
                    raise
