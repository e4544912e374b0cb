"""The runs whose coroutines execute in this node: their time, their waiting, and how they are stopped."""

import asyncio
import logging
import os
import threading
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Final

from taskflow.definition.signal import CANCELED, INTERRUPTED, TIMED_OUT, Signal
from taskflow.execution.outcome import Outcome
from taskflow.execution.waiting.coroutines import CoroutineWaits
from taskflow.execution.waiting.durable_coroutines import DurableCoroutineWaits
from taskflow.store.operations.claims import ClaimedRun
from taskflow.worker.coroutines.run_slots import RunSlots
from taskflow.worker.coroutines.taken_ticket import TakenTicket

log = logging.getLogger("taskflow.node")
STUCK_EXIT: Final = 70
"""Exit code of a node left by a coroutine that would not stop (EX_SOFTWARE of sysexits.h)."""


@dataclass(slots=True, eq=False)
class RunningCoroutine:
    """A run that was claimed here. ``task`` and ``signal`` are its code's, from ``begin`` on."""

    ticket: TakenTicket
    claimed: ClaimedRun
    shard: int
    task: "asyncio.Task[Outcome]" = field(init=False)
    signal: Signal = field(init=False)
    waits: CoroutineWaits | None = None
    timer: asyncio.TimerHandle | None = None
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

    def begin(self, task: "asyncio.Task[Outcome]", signal: Signal) -> None:
        """Its code is about to start. What it computed before it waited in the store alone counts on."""
        self.task, self.signal = task, signal
        self.computed = self.claimed.computed.total_seconds()

    def disarm(self) -> None:
        """Its time does not run out any more."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None


EarlyCancels = list[int]
"""Claims that were canceled before the node had heard of them."""


class RunningCoroutines:
    """What executes in one loop. Its methods belong in the loop's thread, but for ``cancel``."""

    def __init__(self, loop: asyncio.AbstractEventLoop, run_slots: RunSlots, cancel_grace: timedelta) -> None:
        self._loop = loop
        self._run_slots = run_slots
        self._grace = cancel_grace.total_seconds()
        self._held: dict[str, RunningCoroutine] = {}
        self._claiming: dict[str, list[EarlyCancels]] = {}  # a ticket may come twice
        self._lock = threading.Lock()
        self.is_leaving = False
        """Whether the node leaves: what is claimed from now on is stopped before its first line."""

    def cancel(self, run_id: str, claim: int, reason: str) -> bool:
        """Stop a run's coroutine, if it still executes under this claim. From any thread."""
        with self._lock:
            held = self._held.get(run_id)
            if held is None and run_id in self._claiming:  # the cancel overtook the reply to our claim
                for canceled in self._claiming[run_id]:
                    canceled.append(claim)
                return True
        if held is None or claim not in (held.claim, held.claim + 1):  # the next one: of a resume not heard of yet
            return False
        self._loop.call_soon_threadsafe(self._cancel, held, reason, claim)
        return True

    def expect(self, run_id: str) -> EarlyCancels:
        """A claim is on its way. Returns what ``add`` and ``forget`` are to be given."""
        canceled: EarlyCancels = []
        with self._lock:
            self._claiming.setdefault(run_id, []).append(canceled)
        return canceled

    def add(self, held: RunningCoroutine, canceled: EarlyCancels) -> None:
        """Its code is about to start, and its time runs; unless a cancel came before it, or the node leaves."""
        with self._lock:
            self._held[held.run_id] = held
            self._forget(held.run_id, canceled)
        if held.claim in canceled:
            self._cancel(held, CANCELED)
        elif self.is_leaving:
            self._cancel(held, INTERRUPTED)
        self._arm(held)

    def remove(self, held: RunningCoroutine) -> None:
        """Its code is over."""
        self.resume(held)
        if self._held.get(held.run_id) is held:
            del self._held[held.run_id]
        held.disarm()

    def forget(self, run_id: str, canceled: EarlyCancels) -> None:
        """Nothing more is expected of a claim."""
        with self._lock:
            self._forget(run_id, canceled)

    def tell(self, run_id: str) -> None:
        """A run that waits here may go on, or one of its waits is done."""
        held = self._held.get(run_id)
        if held is not None and held.waits is not None:
            held.waits.told()

    def park(self, held: RunningCoroutine) -> None:
        """It only waits: its time stands still, and another run may have its place in the pool."""
        if held.signal.is_set() or held.task.done():  # stopped before the store's answer came
            return
        held.computed += self._loop.time() - held.since
        held.disarm()
        held.is_parked = True
        self._run_slots.park(held.ticket)

    def resume(self, held: RunningCoroutine) -> None:
        """It goes on: its time runs again."""
        if not held.is_parked:  # it was stopped while it waited, and has its place again since then
            return
        held.is_parked = False
        self._arm(held)
        self._run_slots.take()

    def suspended(self, held: RunningCoroutine) -> None:
        """Its code is being left. What does not let itself be left is canceled."""
        self.resume(held)
        held.disarm()
        held.timer = self._loop.call_later(self._grace, self._cancel, held, INTERRUPTED)

    async def suspend_waiting(self) -> None:
        """Unload the durable runs that only wait, now and from now on: the node is about to stop."""
        leaving: list[asyncio.Task[Outcome]] = []
        for held in self._held.values():
            if isinstance(held.waits, DurableCoroutineWaits):
                held.waits.suspend()
                leaving += [held.task] if held.is_parked else []
        if leaving:
            await asyncio.wait(leaving, timeout=self._grace)

    def cancel_all(self) -> None:
        """Stop every coroutine: their claims are over."""
        for held in list(self._held.values()):
            self._cancel(held, INTERRUPTED)

    def _forget(self, run_id: str, canceled: EarlyCancels) -> None:
        left = [each for each in self._claiming.get(run_id, ()) if each is not canceled]
        if left:
            self._claiming[run_id] = left
        else:
            self._claiming.pop(run_id, None)

    def _arm(self, held: RunningCoroutine) -> None:
        """Let its time run, from now on."""
        held.since = self._loop.time()
        if held.claimed.max_duration is not None and not held.is_settled:
            left = held.claimed.max_duration.total_seconds() - held.computed
            held.timer = self._loop.call_later(max(0.0, left), self._cancel, held, TIMED_OUT)

    def _cancel(self, held: RunningCoroutine, reason: str, claim: int = 0) -> None:
        held.claimed.claim = max(claim, held.claim)
        self.resume(held)
        held.disarm()
        held.signal.set(reason)
        held.task.cancel()
        self._loop.call_later(self._grace, self._insist, held.run_id, held.task)

    def _insist(self, run_id: str, task: "asyncio.Task[Any]") -> None:
        if task.done():
            return
        log.critical("node.leaving: run %s did not stop within cancel_grace; its node exits", run_id)
        os._exit(STUCK_EXIT)
