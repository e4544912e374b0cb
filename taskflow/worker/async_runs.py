"""The asyncio executor: one event loop in a thread of the node, up to thousands of runs as coroutines."""

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from taskflow.definition.task import TaskDefinition
from taskflow.errors import NodeUnregisteredError, RunNotClaimableError, StaleClaimError
from taskflow.execution.outcome import Outcome
from taskflow.models import AttemptOutcome, RunStatus
from taskflow.store import operations
from taskflow.store.pipeline import Pipeline
from taskflow.store.records import ClaimedRun
from taskflow.store.wire import shard_of_run
from taskflow.worker.attempts import STOPPED, prepare, settle
from taskflow.worker.runtime import Runtime

log = logging.getLogger("taskflow.node")
STUCK_EXIT: Final = 70
"""Exit code of a node left by a coroutine that would not stop (EX_SOFTWARE of sysexits.h)."""


@dataclass(frozen=True, slots=True)
class Order:
    """One ticket that the node took: start this run. ``on_done`` is called in the loop's thread when that is over."""

    definition: TaskDefinition
    run_id: str
    reservation: int
    args: str = ""
    on_done: Callable[[], object] | None = field(default=None, compare=False)


class Watcher(Protocol):
    """Told on the loop's thread what becomes of runs: Celery's events and signals."""

    def started(self, order: Order) -> None: ...

    def ended(self, order: Order, outcome: Outcome, seconds: float) -> None: ...

    def dropped(self, order: Order) -> None: ...


class AsyncRuns:
    """Claims, executes and finishes runs in batches, one loop turn at a time."""

    def __init__(self, runtime: Runtime, watcher: Watcher, on_free: Callable[[], None]) -> None:
        self._runtime = runtime
        self._watcher = watcher
        self._on_free = on_free
        self._taken: list[Order] = []
        self._is_draining = False
        self._tasks: dict[str, tuple[int, asyncio.Task[Outcome]]] = {}
        self._busy = 0
        self._lock = threading.Lock()
        self._idle = threading.Event()
        self._idle.set()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="taskflow-loop", daemon=True)
        self._keep: set[asyncio.Task[None]] = set()

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

    def cancel(self, run_id: str, claim: int) -> bool:
        """Stop a run's coroutine, if it still executes under this claim. From any thread."""
        held = self._tasks.get(run_id)
        if held is None or held[0] != claim:
            return False
        self.loop.call_soon_threadsafe(self._cancel, run_id, claim)
        return True

    def cancel_all(self) -> None:
        """Stop every coroutine: their claims are over. From any thread; ``wait_idle`` tells when they have."""
        self.loop.call_soon_threadsafe(self._cancel_all)

    def wait_idle(self, seconds: float | None = None) -> bool:
        """Wait until nothing is taken or executing."""
        return self._idle.wait(seconds)

    def stop(self) -> None:
        """End the loop. What executes is dropped; stop it before."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(5)

    def _serve(self) -> None:
        asyncio.set_event_loop(self.loop)
        self._pipeline = Pipeline(self._runtime.make_async_store())
        self.loop.run_forever()

    def _begin(self) -> None:
        with self._lock:
            orders, self._taken = self._taken, []
        for order in orders:
            task = self.loop.create_task(self._run(order))
            self._keep.add(task)
            task.add_done_callback(self._keep.discard)

    async def _run(self, order: Order) -> None:
        try:
            claimed = await self._claim(order)
            if claimed is not None:
                await self._attempt(order, claimed)
        except Exception:
            log.exception("run.broken: %s", order.run_id)
        finally:
            self._done(order)

    async def _claim(self, order: Order) -> ClaimedRun | None:
        claim = operations.claim_run(order.run_id, node_id=self._runtime.node.id, reservation=order.reservation)
        try:
            return await self._pipeline.submit(claim, self._shard(order.run_id))
        except (RunNotClaimableError, NodeUnregisteredError) as refused:
            log.info("ticket.dropped: %s", refused)
            self._watcher.dropped(order)
            return None

    async def _attempt(self, order: Order, claimed: ClaimedRun) -> None:
        attempt = prepare(self._runtime, order.definition, claimed)
        self._watcher.started(order)
        began = time.monotonic()
        task = self.loop.create_task(attempt.aexecute(), name=order.run_id)
        self._tasks[order.run_id] = (claimed.claim, task)
        try:
            outcome = await task
        except asyncio.CancelledError:
            await self._stopped(order, claimed)
            return
        finally:
            del self._tasks[order.run_id]
        self._watcher.ended(order, outcome, time.monotonic() - began)
        try:
            settled = settle(order.definition, order.run_id, claimed.claim, outcome)
            await self._pipeline.submit(settled, self._shard(order.run_id))
        except StaleClaimError as stale:
            log.warning("result.refused: %s", stale)
            if stale.status == RunStatus.CANCELED:
                await self._stopped(order, claimed)

    async def _stopped(self, order: Order, claimed: ClaimedRun) -> None:
        """Tell the store that the code no longer executes: a canceled run gives its slot back now."""
        self._watcher.dropped(order)
        give_up = operations.give_up_run(order.run_id, claimed.claim, AttemptOutcome.INTERRUPTED, STOPPED)
        await self._pipeline.submit(give_up, self._shard(order.run_id))

    def _cancel_all(self) -> None:
        for run_id, (claim, _) in list(self._tasks.items()):
            self._cancel(run_id, claim)

    def _cancel(self, run_id: str, claim: int) -> None:
        held = self._tasks.get(run_id)
        if held is None or held[0] != claim:
            return
        held[1].cancel()
        self.loop.call_later(self._runtime.settings.cancel_grace.total_seconds(), self._insist, run_id, held[1])

    def _insist(self, run_id: str, task: "asyncio.Task[Any]") -> None:
        if task.done():
            return
        log.critical("node.leaving: run %s did not stop within cancel_grace; its node exits", run_id)
        os._exit(STUCK_EXIT)

    def _done(self, order: Order) -> None:
        if order.on_done:
            order.on_done()
        with self._lock:
            self._busy -= 1
            if not self._busy:
                self._idle.set()
        self._on_free()

    def _shard(self, run_id: str) -> int:
        return shard_of_run(run_id) or 0
