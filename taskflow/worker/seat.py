"""The one attempt that a child executes, as something that waits: with its time, and its place in the node's pool."""

from taskflow.definition.waiting import Waits
from taskflow.execution.hook_runner import HookRunner
from taskflow.execution.reporting.live_run import LiveRun
from taskflow.execution.waiting.blocking import BlockingWaits
from taskflow.execution.waiting.coroutines import CoroutineWaits
from taskflow.store.records import ClaimedRun
from taskflow.worker.alarm import Timer
from taskflow.worker.runtime import Runtime
from taskflow.worker.waits import ChildDesk, ChildLoopDesk


class Seat:
    """What an attempt in a child waits with."""

    def __init__(self, runtime: Runtime, claimed: ClaimedRun) -> None:
        self._runtime, self._claimed = runtime, claimed
        self._live: LiveRun | None = None
        self._timer = Timer()
        self._is_async = False

    def begin(self, live: LiveRun, timer: Timer, *, is_async: bool) -> None:
        """The attempt is about to start."""
        self._live, self._timer, self._is_async = live, timer, is_async

    def make_waits(self, hooks: HookRunner) -> Waits:
        """Return how its code waits."""
        assert self._live is not None
        desk = ChildDesk(self._runtime, self._claimed, self._live, self._parked, self._resumed)
        if not self._is_async:
            return BlockingWaits(desk, hooks)
        loop_desk = ChildLoopDesk(desk)
        loop_desk.waits = CoroutineWaits(loop_desk, hooks)
        return loop_desk.waits

    def _parked(self) -> None:
        self._timer.stop()
        self._tell(is_waiting=True)

    def _resumed(self) -> None:
        self._tell(is_waiting=False)
        self._timer.start()

    def _tell(self, *, is_waiting: bool) -> None:
        if self._runtime.parking is not None:
            self._runtime.parking.tell(self._claimed.run_id, is_waiting=is_waiting)
