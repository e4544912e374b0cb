"""The runs whose coroutines execute in this node: their time, their waiting, and how they are stopped."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from taskflow.definition.signal import CANCELED, INTERRUPTED, TIMED_OUT, Signal
from taskflow.execution.attempt import AttemptRunner
from taskflow.execution.in_loop import Escape
from taskflow.execution.outcome import Outcome
from taskflow.execution.waiting.coroutines import CoroutineWaits
from taskflow.execution.waiting.durable_coroutines import DurableCoroutineWaits
from taskflow.store.operations.claims import ClaimedRun
from taskflow.worker.coroutines.run_slots import RunSlots
from taskflow.worker.coroutines.taken_ticket import TakenTicket

log = logging.getLogger("taskflow.node")


@dataclass(slots=True, eq=False)
class RunningCoroutine:
    """A run that was claimed here. It has ``task``, ``signal`` and ``escape`` from ``begin`` on."""

    ticket: TakenTicket
    claimed: ClaimedRun
    shard: int
    task: "asyncio.Task[Outcome]" = field(init=False)
    signal: Signal = field(init=False)
    escape: Escape = field(init=False)
    waits: CoroutineWaits | None = None
    timer: asyncio.TimerHandle | None = None
    since: float = 0.0
    computed: float = 0.0
    is_parked: bool = False
    is_settled: bool = False

    @property
    def run_id(self) -> str:
        """The id of the run."""
        return self.claimed.run_id

    @property
    def claim(self) -> int:
        """The claim under which the run executes now."""
        return self.claimed.claim

    def begin(self, task: "asyncio.Task[Outcome]", attempt: AttemptRunner) -> None:
        """Begin to execute its code. Time that it has computed before it was unloaded counts as well."""
        self.task, self.signal, self.escape = task, attempt.signal, attempt.escape
        self.computed = self.claimed.computed.total_seconds()

    def disarm(self) -> None:
        """Stop its timer."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


EarlyCancels = list[int]
"""Claims that were canceled before the store's answer to the claim had come."""


class RunningCoroutines:
    """The runs that execute in one loop. On the loop's thread, except ``cancel``.

    Attributes:
        on_stuck: Called with a run whose coroutine has not stopped within its grace.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, run_slots: RunSlots, cancel_grace: timedelta) -> None:
        self._loop = loop
        self._run_slots = run_slots
        self.on_stuck: Callable[[RunningCoroutine], None] = lambda _: None
        self._asked_at: float | None = None
        self._grace = cancel_grace.total_seconds()
        self._runs: dict[str, RunningCoroutine] = {}
        self._claiming: dict[str, list[EarlyCancels]] = {}  # a ticket may come twice
        self._lock = threading.Lock()
        self.is_leaving = False
        """Whether the node leaves. A run that is claimed from then on is stopped before its first line."""

    def cancel(self, run_id: str, claim: int, reason: str) -> bool:
        """Stop a run's coroutine, if it still executes under this claim. From any thread."""
        with self._lock:
            run = self._runs.get(run_id)
            if run is None and run_id in self._claiming:  # the cancel overtook the reply to our claim
                for canceled in self._claiming[run_id]:
                    canceled.append(claim)
                return True
        if run is None or claim not in (run.claim, run.claim + 1):  # + 1: of a resume that its code has not read
            return False
        self.note_ask()
        self._loop.call_soon_threadsafe(self._cancel, run, reason)
        return True

    def note_ask(self) -> None:
        """Note that the loop is asked to stop runs. From any thread."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()

    def seconds_unanswered(self) -> float:
        """Return for how long the loop has not acted on a stop. From any thread."""
        asked_at = self._asked_at
        return 0.0 if asked_at is None else time.monotonic() - asked_at

    def expect(self, run_id: str) -> EarlyCancels:
        """Note that a claim is on its way. Return what ``add`` and ``forget`` are to be given."""
        canceled: EarlyCancels = []
        with self._lock:
            self._claiming.setdefault(run_id, []).append(canceled)
        return canceled

    def add(self, run: RunningCoroutine, canceled: EarlyCancels) -> None:
        """Arm a run whose code is about to start. Stop the run if a cancel came before, or the node leaves."""
        with self._lock:
            self._runs[run.run_id] = run
            self._forget(run.run_id, canceled)
        if run.claim in canceled:
            self._cancel(run, CANCELED)
        elif self.is_leaving:
            self._cancel(run, INTERRUPTED)
        self._arm(run)

    def remove(self, run: RunningCoroutine) -> None:
        """Remove a run whose code has ended."""
        self.resume(run)
        if self._runs.get(run.run_id) is run:
            del self._runs[run.run_id]
        run.disarm()

    def forget(self, run_id: str, canceled: EarlyCancels) -> None:
        """Forget a claim that was expected."""
        with self._lock:
            self._forget(run_id, canceled)

    def notify(self, run_id: str) -> None:
        """Have a run that waits here look whether it may go on or one of its waits is done."""
        run = self._runs.get(run_id)
        if run is not None and run.waits is not None:
            run.waits.notify()

    def park(self, run: RunningCoroutine) -> None:
        """Pause the timer of a run that only waits, and give its run slot to another run."""
        if run.signal.is_set() or run.task.done():  # stopped before the store's answer came
            return
        run.computed += self._loop.time() - run.since
        run.disarm()
        run.is_parked = True
        self._run_slots.park(run.ticket)

    def resume(self, run: RunningCoroutine) -> None:
        """Let the time of a run that goes on run again."""
        if not run.is_parked:  # it was stopped while it waited, and has had its run slot again since
            return
        run.is_parked = False
        self._arm(run)
        self._run_slots.take()

    def suspend(self, run: RunningCoroutine) -> None:
        """Cancel a run whose code is being left, if it is not left in time."""
        self.resume(run)
        run.disarm()
        run.timer = self._loop.call_later(self._grace, self._cancel, run, INTERRUPTED)

    async def suspend_waiting(self) -> None:
        """Unload the durable runs that only wait, now and from now on: the node is about to stop."""
        leaving: list[asyncio.Task[Outcome]] = []
        for run in self._runs.values():
            if isinstance(run.waits, DurableCoroutineWaits):
                run.waits.suspend()
                leaving += [run.task] if run.is_parked else []
        if leaving:
            await asyncio.wait(leaving, timeout=self._grace)

    def interrupt_others(self, stuck: RunningCoroutine) -> None:
        """Stop all runs but one, now and from now on: the node is about to exit. From any thread."""
        self.is_leaving = True
        for run in list(self._runs.values()):
            if run is not stuck:
                self._loop.call_soon_threadsafe(self._cancel, run, INTERRUPTED)

    def has_others(self, stuck: RunningCoroutine) -> bool:
        """Whether runs other than this one execute. From any thread."""
        return any(run is not stuck for run in list(self._runs.values()))

    def cancel_all(self) -> None:
        """Stop every coroutine, because their claims have ended."""
        self._asked_at = None
        for run in list(self._runs.values()):
            self._cancel(run, INTERRUPTED)

    def _forget(self, run_id: str, canceled: EarlyCancels) -> None:
        others = [each for each in self._claiming.get(run_id, ()) if each is not canceled]
        if others:
            self._claiming[run_id] = others
        else:
            self._claiming.pop(run_id, None)

    def _arm(self, run: RunningCoroutine) -> None:
        """Let the time of a run run from now on."""
        run.since = self._loop.time()
        if run.claimed.max_duration is not None and not run.is_settled:
            left = run.claimed.max_duration.total_seconds() - run.computed
            run.timer = self._loop.call_later(max(0.0, left), self._cancel, run, TIMED_OUT)

    def fail(self, run_id: str, error: BaseException) -> None:
        """Fail a run with the exception by which a task or a callback of it has left the loop."""
        run = self._runs.get(run_id)
        if run is not None and not run.task.done():
            run.escape.error = run.escape.error or error
            self._stop(run)

    def _cancel(self, run: RunningCoroutine, reason: str) -> None:
        self._asked_at = None
        run.signal.set(reason)
        self._stop(run)

    def _stop(self, run: RunningCoroutine) -> None:
        self.resume(run)
        run.disarm()
        run.task.cancel()
        self._loop.call_later(self._grace, self._insist, run)

    def _insist(self, run: RunningCoroutine) -> None:
        if not run.task.done():
            self.on_stuck(run)


@dataclass(frozen=True, slots=True)
class CoroutineParking:
    """The observer of one coroutine that waits."""

    runs: RunningCoroutines
    run: RunningCoroutine

    def park(self) -> None:
        """Pause its timer, and give its run slot to another run."""
        self.runs.park(self.run)

    def resume(self) -> None:
        """Let its time run again."""
        self.runs.resume(self.run)

    def suspend(self) -> None:
        """Cancel it, if its code is not left in time."""
        self.runs.suspend(self.run)
