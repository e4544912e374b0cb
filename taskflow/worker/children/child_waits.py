"""The one attempt that a child executes, as something that waits: with its time, and its place in the node's pool."""

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
    """What an attempt in a child waits with."""

    def __init__(self, runtime: Runtime, claimed: ClaimedRun) -> None:
        self._runtime, self._claimed = runtime, claimed
        self._live: LiveRun | None = None
        self._timer = Timer()
        self._is_async = False
        self._journal: Journal | None = None
        self._killer: threading.Timer | None = None
        self._is_parked = False

    def begin(self, live: LiveRun, timer: Timer, *, is_async: bool, journal: Journal | None = None) -> None:
        """The attempt is about to start."""
        self._live, self._timer, self._is_async, self._journal = live, timer, is_async, journal

    def leave(self) -> None:
        """The code was left: it needs not be killed, and does not wait, however it was left."""
        if self._killer is not None:
            self._killer.cancel()
        if self._is_parked:
            self._tell(is_waiting=False)

    def make_waits(self, hooks: HookRunner) -> Waits:
        """Return how its code waits."""
        assert self._live is not None
        wait_store = ChildWaitStore(
            self._runtime, self._claimed, self._live, self._parked, self._resumed, self._suspended
        )
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

    def _parked(self) -> None:
        self._timer.stop()
        self._tell(is_waiting=True)

    def _resumed(self) -> None:
        self._tell(is_waiting=False)
        self._timer.start()

    def _tell(self, *, is_waiting: bool) -> None:
        self._is_parked = is_waiting
        if self._runtime.parking is not None:
            self._runtime.parking.tell(self._claimed.run_id, is_waiting=is_waiting)

    def _suspended(self) -> None:
        """Its code is being left: what does not let itself be left is killed, and the run waits on without it."""
        grace = self._runtime.settings.cancel_grace.total_seconds()
        self._killer = threading.Timer(grace, os.kill, (os.getpid(), signal.SIGKILL))
        self._killer.daemon = True
        self._killer.start()
