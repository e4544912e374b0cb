"""Waiting for the one attempt that a child executes.

It pauses the attempt's timer, notifies the node that the child only waits, and chooses the kind of waits.
"""

import os
import signal
import threading

from taskflow.execution.hook_runner import HookRunner
from taskflow.execution.journal import Journal
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.waiting.blocking import BlockingWaits
from taskflow.execution.waiting.coroutines import CoroutineWaits
from taskflow.execution.waiting.durable_blocking import DurableBlockingWaits
from taskflow.execution.waiting.durable_coroutines import DurableCoroutineWaits
from taskflow.seams.waits import Waits
from taskflow.store.operations.claims import ClaimedRun
from taskflow.worker.attempt.runtime import Runtime
from taskflow.worker.attempt.waits import ChildLoopWaitStore, ChildWaitStore
from taskflow.worker.children.alarm import Timer


class ChildWaits:
    """The waits of one attempt in a child."""

    def __init__(self, runtime: Runtime, claimed: ClaimedRun) -> None:
        self._runtime, self._claimed = runtime, claimed
        self._live: LiveRun | None = None
        self._timer = Timer()
        self._is_async = False
        self._journal: Journal | None = None
        self._killer: threading.Timer | None = None
        self._is_parked = False

    def begin(self, live: LiveRun, timer: Timer, *, is_async: bool, journal: Journal | None = None) -> None:
        """Begin an attempt."""
        self._live, self._timer, self._is_async, self._journal = live, timer, is_async, journal

    def leave(self) -> None:
        """End the attempt, however its code was left: the child needs not be killed and does not wait."""
        if self._killer is not None:
            self._killer.cancel()
        if self._is_parked:
            self._notify(is_waiting=False)

    def make_waits(self, hooks: HookRunner) -> Waits:
        """Return the waits for the attempt's code."""
        assert self._live is not None
        wait_store = ChildWaitStore(self._runtime, self._claimed, self._live, self)
        journal = self._journal
        if not self._is_async:
            return (
                BlockingWaits(wait_store, hooks)
                if journal is None
                else DurableBlockingWaits(wait_store, hooks, journal)
            )
        loop_wait_store = ChildLoopWaitStore(wait_store)
        if journal is None:
            loop_wait_store.waits = CoroutineWaits(loop_wait_store, hooks)
        else:
            loop_wait_store.waits = DurableCoroutineWaits(loop_wait_store, hooks, journal)
        return loop_wait_store.waits

    def park(self) -> None:
        """Pause the timer: the child only waits."""
        self._timer.stop()
        self._notify(is_waiting=True)

    def resume(self) -> None:
        """Let the timer run on: the child executes again."""
        self._notify(is_waiting=False)
        self._timer.start()

    def suspend(self) -> None:
        """Kill the child if its code is not left in time. The run then waits without a process."""
        grace = self._runtime.settings.cancel_grace.total_seconds()
        self._killer = threading.Timer(grace, os.kill, (os.getpid(), signal.SIGKILL))
        self._killer.daemon = True
        self._killer.start()

    def _notify(self, *, is_waiting: bool) -> None:
        self._is_parked = is_waiting
        if self._runtime.parking is not None:
            self._runtime.parking.send(self._claimed.run_id, is_waiting=is_waiting)
