"""The asyncio executor: one event loop in a thread of the node, up to thousands of runs as coroutines."""

import asyncio
import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Final

from taskflow.definition.signal import CANCELED, INTERRUPTED, TIMED_OUT, Signal
from taskflow.errors import NodeUnregisteredError, RunNotClaimableError, StaleClaimError, Suspended
from taskflow.execution.final_hooks import arun_final_hooks
from taskflow.execution.hook_runner import HookRunner, Report
from taskflow.execution.journal import Journal
from taskflow.execution.outcome import Completed, Ended, Outcome
from taskflow.execution.reporting.current import entered_run
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.waiting.coroutines import CoroutineWaits, track_tasks
from taskflow.execution.waiting.durable_coroutines import DurableCoroutineWaits
from taskflow.models import AttemptOutcome, RunError, RunStatus
from taskflow.store import operations
from taskflow.store.journal_operations import read_journal, unload_run
from taskflow.store.node_operations import read_node_runs
from taskflow.store.operations import Operation
from taskflow.store.pipeline import Pipeline
from taskflow.store.records import ClaimedRun
from taskflow.store.wire import shard_of_run
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
from taskflow.worker.orders import Order, Watcher
from taskflow.worker.reporting import identity_of
from taskflow.worker.runtime import Runtime
from taskflow.worker.waits import NodeDesk

log = logging.getLogger("taskflow.node")
STUCK_EXIT: Final = 70
"""Exit code of a node left by a coroutine that would not stop (EX_SOFTWARE of sysexits.h)."""


@dataclass(slots=True, eq=False)
class _Held:
    """A run whose coroutine executes here."""

    order: Order
    claimed: ClaimedRun
    task: "asyncio.Task[Outcome]"
    signal: Signal
    timer: asyncio.TimerHandle | None = None
    waits: CoroutineWaits | None = None
    since: float = 0.0
    computed: float = 0.0
    is_parked: bool = False
    is_settled: bool = False

    @property
    def run_id(self) -> str:
        """Which run."""
        return self.claimed.run_id

    @property
    def claim(self) -> int:
        """Under which claim it executes now."""
        return self.claimed.claim

    def disarm(self) -> None:
        """Its time does not run out any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


class AsyncRuns:
    """Claims, executes and finishes runs in batches, one loop turn at a time."""

    def __init__(self, runtime: Runtime, watcher: Watcher, on_free: Callable[[], None]) -> None:
        self._runtime = runtime
        self._watcher = watcher
        self._on_free = on_free
        self._taken: list[Order] = []
        self._is_leaving = False
        self._held: dict[str, _Held] = {}
        self._claiming: dict[str, list[int]] = {}
        self._adopted: dict[str, int] = {}  # shards that adopted runs were found on
        self._released: set[int] = set()  # orders whose tickets the broker need not keep
        self._busy = 0
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="taskflow-loop", daemon=True)
        self._alive: set[asyncio.Task[None]] = set()

    @property
    def busy(self) -> int:
        """How many tickets were taken and are not done with."""
        return self._busy

    @property
    def thread_id(self) -> int | None:
        """The loop's thread, to show what blocks it."""
        return self._thread.ident

    def start(self) -> None:
        """Start the loop."""
        self._thread.start()

    def take(self, order: Order) -> None:
        """Start a run soon. Called on the hub's thread."""
        with self._lock:
            self._busy += 1
            self._idle.clear()
            self._taken.append(order)
            if len(self._taken) > 1:
                return  # a turn that takes them all is on its way
        self.loop.call_soon_threadsafe(self._begin)

    def cancel(self, run_id: str, claim: int, reason: str) -> bool:
        """Stop a run's coroutine, if it still executes under this claim. From any thread.

        Args:
            reason: What its signal says, ``"canceled"`` or ``"timed out"``.
        """
        with self._lock:
            held = self._held.get(run_id)
            if held is None and run_id in self._claiming:  # the cancel overtook the reply to our claim
                self._claiming[run_id].append(claim)
                return True
        if held is None or claim not in (held.claim, held.claim + 1):  # the next one: of a resume not heard of yet
            return False
        self.loop.call_soon_threadsafe(self._cancel, held, reason, claim)
        return True

    def tell(self, run_id: str) -> None:
        """A run that waits here may go on, or one of its waits is done. From any thread."""
        self._call_soon(self._tell, run_id)

    def suspend_waiting(self) -> None:
        """Unload the durable runs that only wait, now and from now on: the node is about to stop. From any thread."""
        asyncio.run_coroutine_threadsafe(self._suspend_waiting(), self.loop).result()

    def cancel_all(self) -> None:
        """Stop every coroutine: their claims are over. From any thread; ``wait_idle`` tells when they have."""
        self._call_soon(self._cancel_all)

    def interrupt_all(self, grace: timedelta) -> None:
        """Stop every coroutine, and those whose claim is on its way: the node leaves. In a thread that may wait.

        One that does not stop within the grace ends the node with it.
        """
        self._is_leaving = True
        self.cancel_all()
        if not self.wait_idle(grace.total_seconds()):
            log.critical("node.leaving: %d runs did not stop in time; their node exits", self._busy)
            os._exit(STUCK_EXIT)

    def wait_idle(self, seconds: float | None = None) -> bool:
        """Wait until nothing is taken or executing."""
        return self._idle.wait(seconds)

    def stop(self) -> None:
        """End the loop. What executes is dropped; stop it before."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)

    def _call_soon(self, act: Callable[..., object], *args: object) -> None:
        """Call in the loop what is about coroutines. None are left when it is closed, which the lease outlives."""
        with contextlib.suppress(RuntimeError):
            self.loop.call_soon_threadsafe(act, *args)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        track_tasks(self.loop)
        store = self._runtime.make_async_store()
        self._pipeline = Pipeline(store)
        self.loop.run_forever()
        self.loop.run_until_complete(store.close())
        self.loop.close()

    def _begin(self) -> None:
        with self._lock:
            orders, self._taken = self._taken, []
        for order in orders:
            task = self.loop.create_task(self._run(order))
            self._alive.add(task)
            task.add_done_callback(self._alive.discard)

    async def _run(self, order: Order) -> None:
        claimed = None
        with self._lock:
            self._claiming[order.run_id] = []
        try:
            claimed = None if self._is_leaving else await self._claim(order)
            if claimed is not None:
                await self._attempt(order, claimed)
        except Exception as broken:
            log.exception("run.broken: %s", order.run_id)
            if claimed is not None:
                await self._lose(claimed, broken)
        finally:
            self._begun(order.run_id)
            self._done(order)

    def _begun(self, run_id: str, held: _Held | None = None) -> list[int]:
        """A claim is over, or its code is about to start. Returns the claims that were canceled meanwhile."""
        with self._lock:
            if held is not None:
                self._held[run_id] = held
            return self._claiming.pop(run_id, [])

    async def _lose(self, claimed: ClaimedRun, broken: Exception) -> None:
        """Something of ours failed around a run's code: it starts again, on the budget of lost attempts."""
        error = RunError("NodeFailed", f"{type(broken).__name__}: {broken}")
        lost = operations.give_up_run(claimed.run_id, claimed.claim, AttemptOutcome.LOST, error)
        await self._pipeline.submit(lost, self._shard(claimed.run_id))

    async def _claim(self, order: Order) -> ClaimedRun | None:
        node = self._runtime.node
        claim = operations.claim_run(order.run_id, node_id=node.id, reservation=order.reservation, version=node.version)
        try:
            return await self._claim_on_its_shard(claim, order.run_id)
        except (RunNotClaimableError, NodeUnregisteredError) as refused:
            log.info("ticket.dropped: %s", refused)
            self._watcher.dropped(order)
            return None

    async def _claim_on_its_shard(self, claim: Operation[ClaimedRun], run_id: str) -> ClaimedRun:
        """Claim a run; an adopted one, whose id is Celery's, is looked for on every shard."""
        last = self._runtime.settings.shards - 1
        for shard in range(last if shard_of_run(run_id) is None else 0):
            try:
                self._adopted[run_id] = shard
                return await self._pipeline.submit(claim, shard)
            except RunNotClaimableError as refused:
                if refused.status != "MISSING":
                    raise
                self._adopted[run_id] = last
        return await self._pipeline.submit(claim, self._shard(run_id))

    async def _attempt(self, order: Order, claimed: ClaimedRun) -> None:
        if claimed.ended is not None:
            await self._final_hooks(order, claimed, claimed.ended)
            return
        self._watcher.started(order)
        began = time.monotonic()
        live = self._runtime.reports.open(identity_of(claimed), claimed.metadata)
        stored = None
        if needs_journal(order.definition, claimed):
            stored = await self._pipeline.submit(read_journal(order.run_id), self._shard(order.run_id))
        journal = journal_of(self._runtime, order.definition, claimed, stored)
        make_waits = partial(self._waits, claimed, live, journal)
        attempt = prepare(self._runtime, order.definition, claimed, make_waits=make_waits)
        with entered_run(live):
            task = self.loop.create_task(attempt.aexecute(partial(self._keep, claimed, live)), name=order.run_id)
        held = _Held(order, claimed, task, attempt.signal, computed=claimed.computed.total_seconds())
        if claimed.claim in self._begun(order.run_id, held):
            self._cancel(held, CANCELED)
        elif self._is_leaving:
            self._cancel(held, INTERRUPTED)
        self._arm(held)
        try:
            outcome = await task
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
            self._resumed(held)
            del self._held[order.run_id]
            held.disarm()
            self._runtime.reports.close(live)
        self._watcher.ended(order, outcome, time.monotonic() - began)
        try:
            errors = attempt.report.hook_errors
            await self._write(
                claimed, lambda: settle(order.definition, order.run_id, claimed.claim, outcome, hook_errors=errors)
            )
        except StaleClaimError as stale:
            await self._refused(order, claimed, stale, attempt.report)

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
        finished = operations.finish_hooks(order.run_id, claimed.claim, errors)
        await self._pipeline.submit(finished, self._shard(order.run_id))

    async def _keep(self, claimed: ClaimedRun, live: LiveRun, outcome: Outcome) -> None:
        """Write a final outcome down before its hooks run; from then on its time does not count."""
        held = self._held.get(claimed.run_id)
        if held:
            held.is_settled = isinstance(outcome, Completed | Ended)
            held.disarm()
        await self._runtime.reports.asend(live)
        try:
            await self._write(claimed, lambda: keep(claimed, outcome))
        except StaleClaimError as stale:
            if not is_same_end(stale, outcome):
                raise

    async def _write(self, claimed: ClaimedRun, operation: Callable[[], Operation[Any] | None]) -> None:
        """Write how an attempt ended, under the newest claim of its code."""
        shard = self._shard(claimed.run_id)
        while (write := operation()) is not None:
            try:
                await self._pipeline.submit(write, shard)
                return
            except StaleClaimError as stale:
                held = await self._pipeline.submit(read_node_runs(self._runtime.node.id), shard)
                if not take_over(claimed, stale, held, 0):
                    raise

    async def _unload(self, held: _Held, live: LiveRun, report: Report) -> None:
        """Its code was left: the run waits without a process."""
        order, claimed = held.order, held.claimed
        if isinstance(held.waits, DurableCoroutineWaits):
            await held.waits.end()
        await self._runtime.reports.asend(live)
        self._watcher.dropped(order)
        try:
            await self._pipeline.submit(unload_run(order.run_id, claimed.claim), self._shard(order.run_id))
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

    def _waits(self, claimed: ClaimedRun, live: LiveRun, journal: Journal | None, hooks: HookRunner) -> CoroutineWaits:
        held = self._held[claimed.run_id]
        shard = self._shard(claimed.run_id)
        desk = NodeDesk(
            claimed,
            live,
            lambda operation: self._pipeline.submit(operation, shard),
            partial(self._parked, held),
            partial(self._resumed, held),
            partial(self._suspended, held),
        )
        held.waits = CoroutineWaits(desk, hooks) if journal is None else DurableCoroutineWaits(desk, hooks, journal)
        return held.waits

    def _tell(self, run_id: str) -> None:
        held = self._held.get(run_id)
        if held is not None and held.waits is not None:
            held.waits.told()

    def _arm(self, held: _Held) -> None:
        """Let its time run, from now on."""
        held.since = self.loop.time()
        if held.claimed.max_duration is not None and not held.is_settled:
            left = held.claimed.max_duration.total_seconds() - held.computed
            held.timer = self.loop.call_later(max(0.0, left), self._cancel, held, TIMED_OUT)

    def _parked(self, held: _Held) -> None:
        """It only waits: its time stands still, and another run may have its place in the pool."""
        if held.signal.is_set() or held.task.done():  # stopped before the store's answer came
            return
        held.computed += self.loop.time() - held.since
        held.disarm()
        held.is_parked = True
        self._release(held.order)
        self._leave_place()
        self._on_free()

    def _resumed(self, held: _Held) -> None:
        if not held.is_parked:  # it was stopped while it waited, and has its place again since then
            return
        held.is_parked = False
        self._arm(held)
        with self._lock:
            self._busy += 1
            self._idle.clear()

    async def _suspend_waiting(self) -> None:
        leaving: list[asyncio.Task[Outcome]] = []
        for held in self._held.values():
            if isinstance(held.waits, DurableCoroutineWaits):
                held.waits.suspend()
                leaving += [held.task] if held.is_parked else []
        if leaving:
            await asyncio.wait(leaving, timeout=self._runtime.settings.cancel_grace.total_seconds())

    def _suspended(self, held: _Held) -> None:
        """Its code is being left. What does not let itself be left is canceled."""
        self._resumed(held)
        held.disarm()
        grace = self._runtime.settings.cancel_grace.total_seconds()
        held.timer = self.loop.call_later(grace, self._cancel, held, INTERRUPTED)

    def _release(self, order: Order) -> None:
        """Be done with a ticket, once."""
        if order.on_done and id(order) not in self._released:  # not by run: its ticket may come again while it waits
            self._released.add(id(order))
            order.on_done()

    def _leave_place(self) -> None:
        with self._lock:
            self._busy -= 1
            if not self._busy:
                self._idle.set()

    def _cancel_all(self) -> None:
        for held in list(self._held.values()):
            self._cancel(held, INTERRUPTED)

    def _cancel(self, held: _Held, reason: str, claim: int = 0) -> None:
        held.claimed.claim = max(claim, held.claim)
        self._resumed(held)
        held.disarm()
        held.signal.set(reason)
        held.task.cancel()
        grace = self._runtime.settings.cancel_grace.total_seconds()
        self.loop.call_later(grace, self._insist, held.run_id, held.task)

    def _insist(self, run_id: str, task: "asyncio.Task[Any]") -> None:
        if task.done():
            return
        log.critical("node.leaving: run %s did not stop within cancel_grace; its node exits", run_id)
        os._exit(STUCK_EXIT)

    def _done(self, order: Order) -> None:
        self._adopted.pop(order.run_id, None)
        self._release(order)
        self._released.discard(id(order))
        self._leave_place()
        self._on_free()

    def _shard(self, run_id: str) -> int:
        named = shard_of_run(run_id)
        return self._adopted.get(run_id, 0) if named is None else named
