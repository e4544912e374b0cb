"""The process executor as a node uses it: stops children, and gives up in the store the runs that died with one."""

import functools
import logging
import queue
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from celery.worker import state as worker_state

from taskflow.definition.signal import CANCELED, INTERRUPTED, TIMED_OUT
from taskflow.errors import StaleClaimError, TaskNotFoundError
from taskflow.execution.final_hooks import has_final_hooks
from taskflow.execution.outcome import Tries, out_of_memory
from taskflow.models import AttemptOutcome, RunError, RunStatus
from taskflow.store import operations
from taskflow.store.operations.nodes import HeldRun
from taskflow.worker.attempt.claimed import LEAVING, STOPPED, finish_operation
from taskflow.worker.attempt.insist import insist
from taskflow.worker.attempt.parking import ParkingLine
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.children.exits import REPLACED
from taskflow.worker.children.guard import Guard
from taskflow.worker.children.memory import OUT_OF_MEMORY, RECYCLED, MemoryWatch
from taskflow.worker.children.next_jobs import NextJobs
from taskflow.worker.children.node_pool import node_pool_of
from taskflow.worker.children.waiting_pool import WaitingPool
from taskflow.worker.children.watch import ChildExit, ChildWatch

log = logging.getLogger("taskflow.node")
KILL_GRACE_SECONDS: Final = 1.0
"""Time from SIGTERM to SIGKILL of a run's child, as in Trigger.dev; ``cancel_grace`` when it has hooks to run."""
LOOK_AGAIN_SECONDS: Final = 2.0
"""Pause before a death is looked into again: a claim may reach the store after the child that sent it has died."""
LEASE_LOST: Final = "lease lost"
SPARE: Final = "not needed: fewer runs wait"
SHRUNK: Final = "asked to leave by pool_shrink"
_EXPECTED: Final = (CANCELED, INTERRUPTED, TIMED_OUT, SPARE, SHRUNK, REPLACED, RECYCLED)


@dataclass(frozen=True, slots=True)
class _Stop:
    run_id: str
    claim: int
    reason: str
    grace: float = KILL_GRACE_SECONDS


class ChildrenExecutor:
    """Watches the children of a started prefork pool."""

    def __init__(self, runtime: Runtime, pool: Any, memory_bytes: int | None, line: ParkingLine, limit: int) -> None:
        self._runtime = runtime
        self._pool = node_pool_of(pool)
        self._next_jobs = NextJobs(self._pool)
        self.waiting = WaitingPool(self._pool, line, limit, self._dismiss, self._next_jobs)
        self._watch = ChildWatch(self._pool, Guard(), self._handle_exit)
        self._memory = None if memory_bytes is None else MemoryWatch(self._watch, memory_bytes)
        self._pool.shrink_by = self._shrink
        self._reasons: dict[int, str] = {}
        self._work: queue.SimpleQueue[ChildExit | _Stop | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._report, name="taskflow-children", daemon=True)

    def start(self) -> None:
        """Start the threads."""
        self._thread.start()
        if self._memory:
            self._memory.start()

    def register(self, hub: Any) -> None:
        """Watch through the event loop. Called whenever the loop starts."""
        self._watch.register(hub)
        self._next_jobs.register(hub)
        self.waiting.register(hub)

    def stop_run(self, run_id: str, claim: int, reason: str) -> bool:
        """End the child of a run soon: SIGTERM, then SIGKILL, to the child and to what it has spawned."""
        self._work.put(_Stop(run_id, claim, reason))
        return True

    def notify_run(self, run_id: str) -> None:
        """Do nothing, because a waiting child listens itself."""

    def stop_all(self) -> None:
        """Kill every child, because the node's claims have ended."""
        while not self._watch.kill_all(reason=LEASE_LOST):
            log.critical("children.remain: killed children are still there")

    def interrupt_all(self, grace: timedelta) -> None:
        """Ask every child to leave: SIGTERM, then SIGKILL after the grace. Their runs start again elsewhere."""
        self._watch.call_on_hub(functools.partial(self._interrupt, grace.total_seconds()))

    def _interrupt(self, grace: float) -> None:
        for pid in self._watch.pids():  # idle ones as well: the pool's books are not kept while it drains
            self._watch.kill_child(pid, grace=grace, reason=INTERRUPTED)

    def _handle_exit(self, ended: ChildExit) -> None:
        self._reasons[ended.pid] = ended.reason or str(ended)
        self.waiting.forget_child(ended.pid)
        level = logging.INFO if ended.reason in _EXPECTED else logging.WARNING
        if ended.exitcode == 0 and not ended.run_ids and worker_state.should_stop is not None:
            level = logging.DEBUG
        log.log(
            level,
            "child.ended: %s %s",
            ended,
            f"within {', '.join(ended.run_ids)}" if ended.run_ids else "between runs",
        )
        self._work.put(ended)

    def _dismiss(self, count: int, reason: str = SPARE) -> int:
        leaving = self._pool.dismiss_idle(count)
        for pid in leaving:
            self._watch.expect_exit(pid, reason=reason)
        return len(leaving)

    def _shrink(self, count: int) -> None:
        """Let idle children leave, as ``pool_shrink`` asks. One place for runs stays.

        Raises:
            ValueError: Fewer can leave. Those that can have left.
        """
        wanted = min(count, self.waiting.concurrency - 1)
        left = self._dismiss(wanted, SHRUNK) if wanted > 0 else 0
        if left < count:
            why = "a node keeps one child" if left == wanted else "the others execute runs"
            raise ValueError(f"{left} of {count} children leave: {why}.")

    def _report(self) -> None:
        look_again = float("inf")
        while True:
            try:
                work = self._work.get(
                    timeout=None if look_again == float("inf") else max(0.0, look_again - time.monotonic())
                )
            except queue.Empty:
                look_again = float("inf")
                self._safely(self._settle_dead)
                continue
            if isinstance(work, _Stop):
                self._safely(functools.partial(self._stop, work))
            else:
                self._safely(self._settle_dead)
                self._runtime.orphans.wake()  # to send its last log lines
                look_again = time.monotonic() + LOOK_AGAIN_SECONDS

    def _safely(self, act: Callable[[], None]) -> None:
        try:
            act()
        except BaseException:
            log.exception("children.failed")

    def _held_runs(self) -> list[HeldRun]:
        runs: list[HeldRun] = []
        for shard in range(self._runtime.settings.shards):
            held = insist(self._runtime, operations.nodes.read_node_runs(self._runtime.node.id), shard=shard)
            runs.extend(held)
        return runs

    def _settle_dead(self) -> None:
        """Finish every run of this node whose child has ended."""
        for run in self._held_runs():
            if run.pid not in self._watch.pids():
                self._finish(run, self._reasons.get(run.pid, "the child is gone"))

    def _finish(self, run: HeldRun, reason: str) -> None:
        if run.status is RunStatus.EXECUTING and reason == OUT_OF_MEMORY:
            self._settle_out_of_memory(run)
            return
        error, outcome = STOPPED, AttemptOutcome.INTERRUPTED
        if reason == INTERRUPTED and not run.status.is_finished:
            error = LEAVING
        elif not run.status.is_finished:
            error, outcome = RunError("ChildLost", f"The run's process died: {reason}."), AttemptOutcome.LOST
        with suppress(StaleClaimError):  # it was resumed meanwhile: the second look settles it
            insist(self._runtime, operations.runs.give_up_run(run.run_id, run.claim, outcome, error), run_id=run.run_id)

    def _settle_out_of_memory(self, run: HeldRun) -> None:
        machine = run.class_name.rpartition(".")[0]
        tries = Tries(run.failed_attempts, run.max_attempts, machine)
        message = f"The run needed more memory than its machine has ({machine})."
        try:
            definition = self._runtime.registry.get(run.task_id)
        except TaskNotFoundError:
            log.error("run.unknown: %s", run.task_id)
            return
        decided = out_of_memory(message, definition, tries, random.random)
        try:
            operation = finish_operation(definition, run.run_id, run.claim, decided, hooks_left=True)
            insist(self._runtime, operation, run_id=run.run_id)
        except StaleClaimError as stale:
            log.warning("result.refused: %s", stale)

    def _stop(self, stop: _Stop) -> None:
        """Kill the child of a run, if a child of ours executes the run under this claim by the store's record."""
        for run in self._held_runs():
            if run.run_id == stop.run_id and run.claim == stop.claim:
                stop = replace(stop, grace=self._grace(run))
                self._watch.call_on_hub(functools.partial(self._kill, stop))

    def _grace(self, run: HeldRun) -> float:
        """Return the seconds that a child has from SIGTERM to SIGKILL. Hooks have time of their own."""
        try:
            has_hooks = has_final_hooks(self._runtime.registry.get(run.task_id), run.status)
        except TaskNotFoundError:
            return KILL_GRACE_SECONDS
        return self._runtime.settings.cancel_grace.total_seconds() if has_hooks else KILL_GRACE_SECONDS

    def _kill(self, stop: _Stop) -> None:
        if not self._watch.kill_run(stop.run_id, grace=stop.grace, reason=stop.reason):
            # its first message is on its way, or its last: look again
            threading.Timer(0.1, self._work.put, (stop,)).start()
